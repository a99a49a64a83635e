"""Going on: an extended run is one that asked for more from the start; a failed or cancelled one can be tried again."""

import copy
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from service.store.leases import lease_runs
from service.store.slices import apply_slice
from service.store.tables import runs
from service.values.queues import QueueKey
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.records import Budget
from workers.runs.engines import BatchKey
from workers.slices import run_slice


def posted(finish, api, **parts):
    """One run, finished: its answer."""
    experiment = finish({"run": {**copy.deepcopy(BASIC), **parts}})
    return api.get(f"/v1/runs?experiment_id={experiment['id']}").json()["items"][0]


def finished(api, dispatcher, run_id):
    for _ in range(1000):
        dispatcher.tick()
        run = api.get(f"/v1/runs/{run_id}").json()
        if run["status"] not in ("queued", "running"):
            return run
    raise AssertionError("the run did not end")


def extend(api, run, **more):
    return api.post(f"/v1/runs/{run['id']}/extend", json=more)


def assert_same_run(api, one, other):
    for field in ("status", "outcome", "step", "spec", "summary"):
        assert one[field] == other[field], field
    ours, theirs = (api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"] for run in (one, other))
    assert ours == theirs
    ours, theirs = (api.get(f"/v1/runs/{run['id']}/factors").content for run in (one, other))
    assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "fused"])
@pytest.mark.parametrize(
    ("short", "more"),
    [
        ({"max_steps": 777}, {"max_steps": 1500}),
        ({"max_steps": 100}, {"max_steps": 333}),  # ends on the schedule
        ({"max_steps": 777, "loss_below": 1e-3}, {"max_steps": 20000, "loss_below": 1e-4}),
        ({"max_steps": 20000, "loss_below": 0.3}, {"loss_below": 1e-2}),
        ({"max_steps": 4000, "loss_below": 0.3}, {"loss_below": None}),
        ({"max_steps": 20000, "loss_below": 0.3}, {"max_steps": 30000}),  # is over as it is
    ],
)
def test_an_extended_run_equals_one_that_asked_for_as_much_from_the_start(api, finish, dispatcher, engine, short, more):
    init = {"kind": "gaussian", "std": 0.3, "std_of": "factor", "determinant": "positive"}  # loses its sign on the way
    run = posted(finish, api, engine=engine, init=init, seed=3, stop=short)
    answer = extend(api, run, **more)
    assert answer.status_code == 202, answer.text
    longer = {name: value for name, value in {**short, **more}.items() if value is not None}
    whole = posted(finish, api, engine=engine, init=init, seed=3, stop=longer)
    assert_same_run(api, finished(api, dispatcher, run["id"]), whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("short", "more"),
    [
        ({"max_time": 77.7}, {"max_time": 200.0}),
        ({"max_time": 100.0}, {"max_time": 150.0}),  # ends on the schedule
        ({"max_time": 1e4, "loss_below": 0.1}, {"loss_below": 1e-3}),
    ],
)
def test_an_extended_flow_equals_one_that_asked_for_as_much_from_the_start(api, finish, dispatcher, short, more):
    parts = {"engine": "flow", "init": {"kind": "identity", "scale": 0.1}, "optimizer": {"kind": "gradient_flow"}}
    run = posted(finish, api, **parts, stop=short)
    assert extend(api, run, **more).status_code == 202
    whole = posted(finish, api, **parts, stop={**short, **more})
    assert_same_run(api, finished(api, dispatcher, run["id"]), whole)


def test_asking_again_for_the_same_changes_nothing(api, finish, dispatcher):
    run = posted(finish, api, stop={"max_steps": 50})
    for _ in range(2):
        assert extend(api, run, max_steps=90).json()["status"] == "queued"
    over = finished(api, dispatcher, run["id"])
    assert over["step"] == 90
    assert extend(api, run, max_steps=90).json() == over


@BOTH_DATABASES
def test_a_slice_in_flight_when_its_run_is_extended_changes_nothing(api, database):
    api.post("/v1/experiments", json={"run": {**BASIC, "stop": {"max_steps": 40}}})
    run = api.get("/v1/runs").json()["items"][0]
    now = datetime.now(UTC)
    with database.writing() as connection:
        key = connection.scalar(sa.select(runs.c.batch_key))
        lease = lease_runs(connection, QueueKey(BatchKey.parse(key)), 1, now)
    result = run_slice(lease.batch, Budget(60))
    assert extend(api, run, max_steps=60).status_code == 202
    with database.writing() as connection:
        assert apply_slice(connection, lease, result, now) == 0
    assert api.get(f"/v1/runs/{run['id']}").json()["step"] == 0


@pytest.mark.parametrize(
    ("more", "pointer", "words"),
    [
        ({}, "", "give max_steps"),
        ({"max_steps": 10}, "/max_steps", "max_steps 50 already"),
        ({"max_steps": None}, "/max_steps", "max_steps 50 already"),
        ({"max_steps": 10**15}, "/max_steps", "RANKWARD_MAX_STEPS_PER_RUN"),
        ({"max_steps": "many"}, "/max_steps", "integer"),
        ({"max_time": 3.0}, "/max_time", "max_steps"),
        ({"loss_below": 0.5}, "/loss_below", "lowered"),
        ({"loss_below": -1.0}, "/loss_below", "greater than or equal to 0"),
        ({"steps": 60}, "/steps", "Unknown field"),
    ],
)
def test_an_extension_that_cannot_be(api, finish, more, pointer, words):
    run = posted(finish, api, stop={"max_steps": 50, "loss_below": 1e-3})
    answer = extend(api, run, **more)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert words in error["detail"]
    assert api.get(f"/v1/runs/{run['id']}").json() == run


def test_a_limit_held_at_several_checks_is_not_moved(api, finish):
    stop = {"max_steps": 50, "loss_below": 1e-3, "checks_in_a_row": 3}
    run = posted(finish, api, stop=stop)
    assert extend(api, run, loss_below=1e-4).json()["errors"][0]["pointer"] == "/loss_below"
    assert extend(api, run, max_steps=60).status_code == 202


def test_what_cannot_go_on_says_so(api, finish):
    diverged = posted(finish, api, optimizer={"kind": "gradient_descent", "learning_rate": 50.0})
    answer = extend(api, diverged, max_steps=10**6)
    assert answer.status_code == 409
    assert "finite numbers" in answer.json()["detail"]
    assert api.post(f"/v1/runs/{diverged['id']}/retry").status_code == 409
    assert api.post("/v1/runs/none/retry").status_code == 404
    assert api.post("/v1/runs/none/extend", json={"max_steps": 9}).status_code == 404
    assert api.post("/v1/experiments/none/retry").status_code == 404


@BOTH_DATABASES
def test_a_cancelled_run_goes_on_where_it_was(api, finish, dispatcher):
    whole = posted(finish, api, stop={"max_steps": 3000})
    api.post("/v1/experiments", json={"run": {**BASIC, "stop": {"max_steps": 3000}}})
    run = api.get("/v1/runs").json()["items"][-1]
    api.post(f"/v1/runs/{run['id']}/cancel")
    assert "retry" in extend(api, run, max_steps=4000).json()["detail"]
    again = api.post(f"/v1/runs/{run['id']}/retry")
    assert again.status_code == 202
    assert again.json()["status"] == "queued"
    assert again.json()["finished_at"] is None
    assert_same_run(api, finished(api, dispatcher, run["id"]), whole)


def test_all_failed_runs_of_an_experiment_are_tried_again(api, finish, dispatcher, database):
    experiment = finish({"run": BASIC, "sweep": [{"seed": [0, 1, 2]}]})
    with database.writing() as connection:
        failed = runs.c.index.in_([0, 2])
        connection.execute(sa.update(runs).where(failed).values(status="failed", error="a worker died", outcome=None))
    answer = api.post(f"/v1/experiments/{experiment['id']}/retry")
    assert answer.status_code == 202
    assert answer.json()["runs"]["queued"] == 2
    items = api.get("/v1/runs").json()["items"]
    assert [run["error"] for run in items] == [None] * 3
    assert all(finished(api, dispatcher, run["id"])["status"] == "succeeded" for run in items)


@BOTH_DATABASES
def test_the_sign_seen_only_at_a_taken_back_point_is_forgotten(api, finish, dispatcher):
    """Recorded sparsely, so that the change of sign is first seen at the last step, which is not on the schedule."""
    init = {"kind": "explicit", "factors": [[[1.0, 0.0], [0.0, 1e-3]], [[1.0, 0.0], [0.0, 1.0]]]}
    parts = {"model": {"kind": "deep_matrix", "depth": 2}, "init": init, "record": {"every": 1000}}
    short = posted(finish, api, **parts, stop={"max_steps": 900})
    longer = posted(finish, api, **parts, stop={"max_steps": 2500})
    assert short["summary"]["determinant_sign_changed_at"] == 900
    extend(api, short, max_steps=2500)
    again = finished(api, dispatcher, short["id"])
    assert_same_run(api, again, longer)


@pytest.mark.parametrize("never", [0, None])
def test_a_limit_of_zero_is_one_that_is_never_met(api, finish, dispatcher, never):
    run = posted(finish, api, stop={"max_steps": 300, "loss_below": 10})
    assert run["outcome"] == "converged"
    assert extend(api, run, loss_below=never).status_code == 202
    extended = finished(api, dispatcher, run["id"])
    unlimited = posted(finish, api, stop={"max_steps": 300, "loss_below": 0})
    assert extended["outcome"] == unlimited["outcome"] == "budget_exhausted"
    assert (extended["step"], extended["summary"]) == (unlimited["step"], unlimited["summary"])
    for other in (0, None):
        again = extend(api, run, loss_below=other, max_steps=300)
        assert again.status_code == 202, again.text
