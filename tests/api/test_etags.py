"""ETags: after every change, a resource that shows something else has another one, and 304 says the truth."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
import sqlalchemy as sa

from service.figures.kinds import KINDS
from service.store import leases
from service.store.slices import apply_slice, fail_slice
from service.store.tables import runs
from tests.helpers.specs import BASIC, FLOW
from workers.records import Budget
from workers.slices import run_slice

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STOPS = {"descent": (BASIC, {"max_steps": 60}, {"max_steps": 90}), "flow": (FLOW, {"max_time": 5.0}, {"max_time": 9.0})}
WITH_ETAG = {
    "/v1/runs/{run_id}": [""],
    "/v1/runs/{run_id}/trajectory": ["", "?format=csv"],
    "/v1/experiments/{experiment_id}/figures/{file}": [],
}


def test_every_path_with_an_etag_is_tried(api, finish):
    """A resource that gets an ETag one day belongs among those above."""
    experiment = finish({"run": BASIC | {"stop": {"max_steps": 10}}})["id"]
    run = api.get("/v1/runs").json()["items"][0]["id"]
    ids = {"experiment_id": experiment, "run_id": run, "file": "metrics.json", "name": "first_look"}
    tagged = set()
    for path, calls in api.get("/openapi.json").json()["paths"].items():
        if "get" in calls and not path.endswith("/events"):
            answer = api.get(path.format(**ids))
            tagged |= {path} if "etag" in answer.headers else set()
    assert tagged == set(WITH_ETAG)


class Watched:
    """An experiment, another one that its figures are compared with, and all that was seen of them."""

    def __init__(self, api, database, spec, stop):
        self.api, self.database = api, database
        payload = {"run": spec | {"stop": stop}, "name": "first", "sweep": [{"seed": [0, 1]}]}
        self.first, self.other = (api.post("/v1/experiments", json=payload).json()["id"] for _ in range(2))
        self.run, second = (run["id"] for run in api.get(f"/v1/runs?experiment_id={self.first}").json()["items"])
        of_runs = [f"/v1/runs/{run}{rest}" for run in (self.run, second) for rest in ("", "/trajectory")]
        drawn = [f"/v1/experiments/{self.first}/figures/{kind.name}.json" for kind in KINDS.values()]
        compared = f"/v1/experiments/{self.first}/figures/compare.json?with={self.other[-12:]}"
        self.paths = [*of_runs, *drawn, compared]
        self.seen = {}
        self.look()

    def look(self):
        """Ask for everything again with the last ETag seen: 304 must mean that nothing else is shown."""
        for path in self.paths:
            states = self.seen.setdefault(path, {})
            last = next(reversed(states), None)
            answer = self.api.get(path, headers={} if last is None else {"If-None-Match": last})
            if answer.status_code == 404:
                continue
            if answer.status_code == 304:
                answer = self.api.get(path)
                assert answer.headers["etag"] == last, path
            tag, content = answer.headers["etag"], answer.content
            assert states.pop(tag, content) == content, f"{path} shows something else under the same ETag"
            assert self.api.get(path, headers={"If-None-Match": tag}).status_code == 304
            states[tag] = content

    def shown_states(self, part):
        """How many different contents were seen at the paths with a part."""
        return max(len(set(states.values())) for path, states in self.seen.items() if part in path)

    def slice(self, act):
        with self.database.writing() as connection:
            key, _ = leases.waiting_queues(connection, 100, 100)[0]
            lease = leases.lease_runs(connection, key, 2, NOW)
        self.look()
        act(lease)
        self.look()

    def store(self, lease, steps=3):
        result = run_slice(lease.batch, Budget(600, steps))
        with self.database.writing() as connection:
            apply_slice(connection, lease, result, NOW)

    def fail(self, lease):
        with self.database.writing() as connection:
            for run_id in lease.run_ids:
                part = replace(lease, run_ids=(run_id,))
                fail_slice(connection, part, "no luck", 1, NOW)

    def act(self, method, path, json=None):
        answer = self.api.request(method, path, json=json)
        assert answer.status_code < 300, answer.text
        self.look()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database_kind", "kind"),
    [*product(["sqlite"], STOPS), pytest.param("postgresql", "descent", marks=pytest.mark.postgresql)],
)
def test_no_change_is_hidden_by_an_etag(api, database, kind):
    spec, stop, longer = STOPS[kind]
    watched = Watched(api, database, spec, stop)
    first, other = (f"/v1/experiments/{one}" for one in (watched.first, watched.other))

    def extend_while_it_runs(lease):
        watched.act("POST", f"/v1/runs/{watched.run}/extend", longer)
        watched.store(lease)

    watched.slice(extend_while_it_runs)
    for path in (first, other):
        watched.act("PATCH", path, {"name": f"renamed {path[-4:]}"})
        watched.act("PATCH", path, {"tags": {"a": "b"}, "priority": 3})
    watched.act("POST", f"{other}/cancel")
    watched.act("POST", f"{other}/retry")
    watched.slice(watched.fail)
    for path in (first, other):
        if api.get(path).json()["runs"]["failed"]:
            watched.act("POST", f"{path}/retry")
    for _ in range(20):
        with database.reading() as connection:
            if not leases.waiting_queues(connection, 1, 1):
                break
        watched.slice(lambda lease: watched.store(lease, 10**6))
    with database.reading() as connection:
        assert set(connection.scalars(sa.select(runs.c.status))) == {"succeeded"}
    watched.act("POST", f"/v1/runs/{watched.run}/extend", {name: value * 2 for name, value in longer.items()})
    watched.slice(lambda lease: watched.store(lease, 10**6))
    assert watched.shown_states("compare.json?with") >= 4
    assert watched.shown_states("/trajectory") >= 3
    watched.act("DELETE", other)
    assert api.get(f"{first}/figures/compare.json?with={watched.other}").status_code == 404
