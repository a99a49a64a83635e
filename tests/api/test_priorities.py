"""Priorities between experiments: which runs a worker takes next, and how that is changed later."""

import json

import pytest

from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

pytestmark = BOTH_DATABASES


def submit(api, depth, **fields):
    run = {**BASIC, "model": {"kind": "deep_matrix", "depth": depth}}
    answer = api.post("/v1/experiments", json={"run": run, "name": str(depth), **fields})
    assert answer.status_code == 202, answer.text
    return answer.json()


def depths(dispatcher):
    """Of the batches so far, in the order in which they were sent."""
    return [json.loads(batch.members[0].spec)["model"]["depth"] for batch in dispatcher.cluster.batches]


def test_a_higher_priority_goes_first(api, dispatcher):
    for depth, priority in ((2, -3), (3, 0), (4, 7)):
        assert submit(api, depth, priority=priority)["priority"] == priority
    for _ in range(40):
        dispatcher.tick()
    assert list(dict.fromkeys(depths(dispatcher))) == [4, 3, 2]


def test_a_priority_can_be_changed_while_runs_wait(api, dispatcher):
    first, second = submit(api, 2), submit(api, 3)
    changed = api.patch(f"/v1/experiments/{second['id']}", json={"priority": 1, "name": "urgent", "tags": {"a": "b"}})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["tags"], changed.json()["priority"]) == ("urgent", {"a": "b"}, 1)
    assert api.get(f"/v1/experiments/{first['id']}").json()["priority"] == 0
    for _ in range(40):
        dispatcher.tick()
    assert depths(dispatcher)[0] == 3


@pytest.mark.parametrize("changes", [{"priority": 101}, {"priority": 0.5}, {"name": "x" * 201}, {"status": "failed"}])
def test_a_change_that_cannot_be(api, changes):
    experiment = submit(api, 2)
    answer = api.patch(f"/v1/experiments/{experiment['id']}", json=changes)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(changes))}"
    assert api.patch("/v1/experiments/none", json={"name": "x"}).status_code == 404
