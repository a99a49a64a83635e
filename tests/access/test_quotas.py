"""What one key may ask for: requests in a minute, unfinished runs, unfinished work."""

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.edge.rates import Rates
from service.settings import Limits
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
