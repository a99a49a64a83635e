"""What one key may ask for: requests in a minute, unfinished runs, unfinished work."""

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from service.app import create_app
from service.edge.rates import Rates
from service.settings import Limits
from service.store.tables import checkpoints, runs
from tests.helpers.specs import BASIC

FOUR = {"run": BASIC, "sweep": [{"seed": [0, 1, 2, 3]}]}


def test_requests_beyond_the_rate_are_told_when_to_come_back(guarded, bearer):
    headers = bearer("read", max_requests_per_minute=3)
    answers = [guarded.get("/v1/runs", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert all(answer.headers["ratelimit-policy"] == '"requests";q=3;w=60' for answer in answers)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert answers[-1].json()["type"] == "urn:rankward:quota-exceeded"
    assert guarded.get("/v1/runs", headers=bearer("read")).status_code == 200


def test_a_rate_fills_up_again():
    now = [0.0]
    rates = Rates(clock=lambda: now[0])
    assert [rates.take(1, 2).allowed for _ in range(3)] == [True, True, False]
    now[0] += 30
    assert [rates.take(1, 2).allowed for _ in range(2)] == [True, False]
    assert rates.take(2, 2).remaining == 1


def test_unfinished_runs_are_counted_over_all_processes(guarded, database, settings, bearer):
    headers = bearer("read", "submit", max_unfinished_runs=6)
    other = create_app(settings.model_copy(update={"host": "0.0.0.0"}), Limits())
    first = guarded.post("/v1/experiments", json=FOUR, headers=headers)
    assert first.status_code == 202
    with TestClient(other) as replica:
        refused = replica.post("/v1/experiments", json=FOUR, headers=headers)
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
        assert "max_unfinished_runs" in refused.json()["detail"]
        assert replica.get("/v1/runs", headers=headers).json()["items"][4:] == []
    guarded.post(first.headers["location"] + "/cancel", headers=headers)
    assert guarded.post("/v1/experiments", json=FOUR, headers=headers).status_code == 202


def test_another_key_has_quotas_of_its_own(guarded, bearer):
    for _ in range(2):
        headers = bearer("submit", max_unfinished_runs=4)
        posted = guarded.post("/v1/experiments", json=FOUR, headers=headers)
        assert (posted.status_code, posted.json()["runs"]["total"]) == (202, 4)
        again = guarded.post("/v1/experiments", json=FOUR, headers=headers)
        assert (again.status_code, again.json()["type"]) == (429, "urn:rankward:quota-exceeded")


def test_what_can_never_fit_is_a_mistake(guarded, bearer):
    answer = guarded.post("/v1/experiments", json=FOUR, headers=bearer("submit", max_unfinished_runs=3))
    assert answer.status_code == 422
    assert "--max-unfinished-runs" in answer.json()["errors"][0]["detail"]


def test_work_is_steps_times_size(guarded, bearer):
    cost = guarded.post("/v1/experiments?dry_run=true", json=FOUR, headers=bearer("submit")).json()["cost"]
    just_enough = bearer("submit", max_unfinished_multiply_adds=cost["max_multiply_adds"])
    assert guarded.post("/v1/experiments", json=FOUR, headers=just_enough).status_code == 202
    full = guarded.post("/v1/experiments", json=FOUR, headers=just_enough)
    assert full.status_code == 429
    assert "max_unfinished_multiply_adds" in full.json()["detail"]
    too_little = bearer("submit", max_unfinished_multiply_adds=cost["max_multiply_adds"] - 1)
    never = guarded.post("/v1/experiments", json=FOUR, headers=too_little)
    assert never.status_code == 422
    assert "--max-unfinished-multiply-adds" in never.json()["errors"][0]["detail"]


def test_the_same_submission_again_needs_no_room(guarded, bearer):
    headers = bearer("submit", max_unfinished_runs=4) | {"Idempotency-Key": "one"}
    statuses = [guarded.post("/v1/experiments", json=FOUR, headers=headers).status_code for _ in range(2)]
    assert statuses == [202, 200]


@pytest.mark.parametrize("quota", ["max_requests_per_minute", "max_unfinished_runs", "max_unfinished_multiply_adds"])
def test_the_service_has_a_default_for_every_quota(database, settings, bearer, quota):
    app = create_app(settings.model_copy(update={"host": "0.0.0.0"}), Limits.model_validate({quota: 1}))
    with TestClient(app) as client:
        headers = bearer("read", "submit")
        answers = [client.post("/v1/experiments", json=FOUR, headers=headers) for _ in range(2)]
    assert answers[-1].status_code == (429 if quota == "max_requests_per_minute" else 422)


def put_into(database, status, where=None):
    """Runs in a status, as if they had come there by themselves."""
    over = {"outcome": "budget_exhausted" if status == "succeeded" else None, "lease_token": None}
    with database.writing() as connection:
        update = sa.update(runs).values(status=status, **over)
        connection.execute(update if where is None else update.where(where))


def unfinished(guarded, headers):
    counts = [item["runs"] for item in guarded.get("/v1/experiments", headers=headers).json()["items"]]
    return sum(count["queued"] + count["running"] for count in counts)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_another_try_of_an_experiment_asks_for_room(guarded, database, bearer, status):
    headers = bearer("read", "submit", max_unfinished_runs=4)
    paths = []
    for _ in range(2):
        paths.append(guarded.post("/v1/experiments", json=FOUR, headers=headers).headers["location"])
        put_into(database, status)
    assert [guarded.post(f"{path}/retry", headers=headers).status_code for path in paths] == [202, 429]
    assert unfinished(guarded, headers) == 4


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_another_try_of_runs_asks_for_room(guarded, database, bearer, status):
    headers = bearer("read", "submit", max_unfinished_runs=2)
    for _ in range(7):
        assert guarded.post("/v1/experiments", json={"run": BASIC}, headers=headers).status_code == 202
        put_into(database, status)
    items = guarded.get("/v1/runs", headers=headers).json()["items"]
    answers = [guarded.post(f"/v1/runs/{run['id']}/retry", headers=headers) for run in items]
    assert [answer.status_code for answer in answers] == [202, 202, 429, 429, 429, 429, 429]
    assert "max_unfinished_runs" in answers[-1].json()["detail"]
    assert unfinished(guarded, headers) == 2


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_longer_run_asks_for_room_for_what_is_added(guarded, database, bearer, status):
    steps = BASIC["stop"]["max_steps"]
    cost = guarded.post("/v1/experiments?dry_run=true", json={"run": BASIC}, headers=bearer("submit")).json()["cost"]
    headers = bearer(
        "read", "submit", max_unfinished_runs=2, max_unfinished_multiply_adds=4 * cost["max_multiply_adds"]
    )
    for _ in range(2):
        guarded.post("/v1/experiments", json={"run": BASIC}, headers=headers)
    put_into(database, status)
    first, second = guarded.get("/v1/runs", headers=headers).json()["items"]

    def extended(run, max_steps):
        path = f"/v1/runs/{run['id']}/extend"
        return guarded.post(path, json={"max_steps": max_steps}, headers=headers).status_code

    assert extended(first, 10**12) == 422  # more than all that the key may ever have
    assert extended(first, 2 * steps) == 202  # 3 of 4 shares are taken
    assert extended(second, 3 * steps) == 429
    assert extended(second, 2 * steps) == 202
    assert extended(second, 2 * steps) == 202  # nothing is added
    assert extended(first, 2 * steps + 1) == 429
    stops = [run["spec"]["stop"]["max_steps"] for run in guarded.get("/v1/runs", headers=headers).json()["items"]]
    assert stops == [2 * steps, 2 * steps]


def test_a_finished_run_that_goes_on_asks_for_room(guarded, database, bearer):
    headers = bearer("read", "submit", max_unfinished_runs=1)
    for _ in range(2):
        guarded.post("/v1/experiments", json={"run": BASIC}, headers=headers)
        put_into(database, "succeeded")
    with database.writing() as connection:
        for run_id in connection.scalars(sa.select(runs.c.id)).all():
            values = {"run_id": run_id, "step": 0, "state": b"", "milestones": b""}
            connection.execute(sa.insert(checkpoints).values(values))
        connection.execute(sa.update(runs).values(step=BASIC["stop"]["max_steps"]))
    items = guarded.get("/v1/runs", headers=headers).json()["items"]
    more = {"max_steps": 10 * BASIC["stop"]["max_steps"]}
    statuses = [guarded.post(f"/v1/runs/{run['id']}/extend", json=more, headers=headers).status_code for run in items]
    assert statuses == [202, 429]


@pytest.mark.parametrize("act", ["retry", "extend"])
def test_work_counts_on_the_key_that_submitted_it_whoever_adds_to_it(guarded, database, bearer, act):
    owner, other = bearer("read", "submit", max_unfinished_runs=1, max_unfinished_multiply_adds=1e9), bearer("submit")
    first = guarded.post("/v1/experiments", json={"run": BASIC}, headers=owner)
    put_into(database, "cancelled" if act == "retry" else "running")
    if act == "retry":
        guarded.post("/v1/experiments", json={"run": BASIC}, headers=owner)
    query = f"/v1/runs?experiment_id={first.json()['id']}"
    (run,) = guarded.get(query, headers=owner).json()["items"]
    body = {"max_steps": 10**12} if act == "extend" else None
    answer = guarded.post(f"/v1/runs/{run['id']}/{act}", json=body, headers=other)
    assert answer.status_code == (429 if act == "retry" else 422)
    assert owner["Authorization"].removeprefix("Bearer ")[:11] in answer.text
