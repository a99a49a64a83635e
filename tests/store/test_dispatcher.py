"""The loop around a cluster that computes in this thread: failures of slices."""

from concurrent.futures import Future

import pytest

from service.dispatch import loop
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

RUNS = {"run": BASIC, "sweep": [{"seed": [0, 1, 2, 3]}]}


def statuses(api):
    return [run["status"] for run in api.get("/v1/runs").json()["items"]]


@BOTH_DATABASES
def test_a_batch_whose_worker_died_is_tried_in_halves(api, dispatcher, finish):
    dispatcher.cluster.failures = [RuntimeError("the worker died")]
    assert finish(RUNS)["status"] == "succeeded"
    assert [len(batch.members) for batch in dispatcher.cluster.batches[:3]] == [4, 2, 2]


@BOTH_DATABASES
def test_a_run_that_keeps_failing_is_given_up_with_its_error(api, dispatcher, finish):
    dispatcher.cluster.failures = [MemoryError("no room")] * 3
    experiment = finish({"run": BASIC})
    assert experiment["status"] == "failed"
    (run,) = api.get("/v1/runs").json()["items"]
    assert run["error"] == "MemoryError: no room"


@BOTH_DATABASES
def test_a_slice_that_the_cluster_lost_blames_no_run(api, dispatcher, finish):
    submit = dispatcher.cluster.submit

    def lose_the_first(batch, budget):
        future = submit(batch, budget)
        if len(dispatcher.cluster.batches) == 1:
            future = type(future)()
            future.cancel()
            future.set_running_or_notify_cancel()
        return future

    dispatcher.cluster.submit = lose_the_first
    assert finish(RUNS)["status"] == "succeeded"
    assert [len(batch.members) for batch in dispatcher.cluster.batches[:2]] == [4, 4]


@pytest.mark.parametrize("end", ["cancelled", "deleted", "wanted", "in time"])
def test_a_late_slice_that_nobody_wants_is_abandoned(api, dispatcher, monkeypatch, end):
    abandoned, computing = [], Future()
    monkeypatch.setattr(dispatcher.cluster, "submit", lambda batch, budget: computing)
    monkeypatch.setattr(dispatcher.cluster, "abandon", abandoned.append)
    monkeypatch.setattr(loop, "SLICES_TO_WAIT", 0 if end != "in time" else 1000)
    monkeypatch.setattr(loop, "SECONDS_OF_GRACE", 0)
    experiment = api.post("/v1/experiments", json=RUNS).json()["id"]
    dispatcher.tick()
    if end == "deleted":
        api.delete(f"/v1/experiments/{experiment}")
    elif end != "wanted":
        api.post(f"/v1/experiments/{experiment}/cancel")
    dispatcher.tick()
    dispatcher.tick()
    assert abandoned == ([computing] if end in ("cancelled", "deleted") else [])
    computing.cancel()
    computing.set_running_or_notify_cancel()
    monkeypatch.undo()
    dispatcher.tick()
    assert statuses(api) == {"deleted": [], "wanted": ["running"] * 4}.get(end, ["cancelled"] * 4)


@pytest.mark.parametrize(
    ("workers", "elsewhere", "experiments", "cores"),
    [(2, False, 1, 2), (8, False, 1, 4), (8, False, 3, 2), (2, False, 2, 1), (8, True, 1, 1)],
)
def test_a_slice_has_the_cores_that_would_idle(
    api, dispatcher, settings, monkeypatch, workers, elsewhere, experiments, cores
):
    budgets, computing = [], Future()
    scheduler = "tls://elsewhere:8786" if elsewhere else None
    dispatcher.settings = settings.model_copy(update={"scheduler": scheduler})
    monkeypatch.setattr(dispatcher.cluster, "worker_count", lambda: workers)
    monkeypatch.setattr(dispatcher.cluster, "submit", lambda batch, budget: budgets.append(budget) or computing)
    for depth in range(1, 1 + experiments):
        api.post("/v1/experiments", json={"run": BASIC | {"model": {"kind": "deep_matrix", "depth": depth}}})
    dispatcher.tick()
    assert [budget.cores for budget in budgets] == [cores] * experiments


def test_runs_that_come_later_join_the_batch(api, dispatcher, settings):
    dispatcher.settings = settings.model_copy(update={"slice_seconds": 0.02})
    forever = {"run": BASIC | {"stop": {"max_steps": 10**9}}}
    api.post("/v1/experiments", json=forever)
    dispatcher.tick()
    api.post("/v1/experiments", json=forever)
    dispatcher.tick()
    assert [len(batch.members) for batch in dispatcher.cluster.batches] == [1, 2]
    old, new = dispatcher.cluster.batches[1].members
    assert old.checkpoint.step > 0
    assert new.checkpoint is None


@BOTH_DATABASES
def test_a_result_that_cannot_be_stored_stops_no_other(api, dispatcher, monkeypatch):
    """An error that will not go away fails the slice's runs, not the dispatcher."""
    from service.store import slices

    insert, poison = slices.insert_points, []

    def insert_unless_poisoned(connection, run_ids, points):
        if 1 in run_ids.values():
            poison.append(1)
            raise OverflowError("too large for SQL")
        insert(connection, run_ids, points)

    monkeypatch.setattr("service.store.slices.insert_points", insert_unless_poisoned)
    api.post("/v1/experiments", json=RUNS)
    for _ in range(40):
        dispatcher.tick()
    assert statuses(api) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert "too large for SQL" in api.get("/v1/runs").json()["items"][0]["error"]
    assert poison


@BOTH_DATABASES
def test_ids_are_never_given_twice(api):
    first = api.post("/v1/experiments", json=RUNS).headers["location"]
    assert api.delete(first).status_code == 204
    second = api.post("/v1/experiments", json=RUNS).headers["location"]
    assert api.delete(first).status_code == 404
    assert api.post(f"{first}/cancel").status_code == 404
    assert api.get(second).json()["runs"]["queued"] == 4
