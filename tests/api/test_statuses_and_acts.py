"""Every act on a run or an experiment in every status: it does something, or says why not and changes nothing."""

import pytest
import sqlalchemy as sa

from service.store.tables import runs
from service.values.statuses import RUN_STATUSES
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

pytestmark = BOTH_DATABASES

OUTCOMES = {"succeeded": "budget_exhausted"}
OVER = ("succeeded", "failed", "cancelled")


def end_of(act, status):
    """The status of a run after an act that does something, or leaves what is over as it is."""
    if act == "cancel":
        return status if status in OVER else "cancelled"
    return "queued" if act == "retry" or status == "succeeded" else status


DOES = {
    "retry": {"failed", "cancelled"},
    "cancel": {*RUN_STATUSES},
    "extend": {"queued", "running", "succeeded"},
}


@pytest.fixture
def in_status(finish, api, database):
    """An experiment of two runs of which the first is put into a status, and the other into another one."""

    def make(first, other=None):
        payload = {"run": {**BASIC, "stop": {"max_steps": 20}}, "sweep": [{"seed": [0, 1]}]}
        experiment = finish(payload) if first == "succeeded" else api.post("/v1/experiments", json=payload).json()
        with database.writing() as connection:
            for index, status in enumerate((first, other or first)):
                values = {"status": status, "outcome": OUTCOMES.get(status), "lease_token": None}
                values["error"] = "a worker died" if status == "failed" else None
                connection.execute(sa.update(runs).where(runs.c.index == index).values(values))
        return experiment["id"]

    return make


def runs_of(api):
    return api.get("/v1/runs").json()["items"]


@pytest.mark.parametrize("act", DOES)
@pytest.mark.parametrize("status", RUN_STATUSES)
def test_an_act_on_a_run(api, in_status, act, status):
    in_status(status)
    before = runs_of(api)
    answer = api.post(f"/v1/runs/{before[0]['id']}/{act}", json={"max_steps": 40} if act == "extend" else None)
    if status in DOES[act]:
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] == end_of(act, status)
        assert runs_of(api)[1:] == before[1:]
    else:
        assert answer.status_code == 409
        assert any(word in answer.json()["detail"] for word in (status, "computed", "waits"))
        assert runs_of(api) == before


@pytest.mark.parametrize("act", ["retry", "cancel"])
@pytest.mark.parametrize("other", RUN_STATUSES)
@pytest.mark.parametrize("first", RUN_STATUSES)
def test_an_act_on_an_experiment(api, in_status, act, first, other):
    experiment_id = in_status(first, other)
    answer = api.post(f"/v1/experiments/{experiment_id}/{act}")
    if DOES[act].isdisjoint((first, other)):
        assert answer.status_code == 409
        assert "1 " in answer.json()["detail"] or "2 " in answer.json()["detail"]
        expected = [first, other]
    else:
        assert answer.status_code == 202
        expected = [end_of(act, status) if status in DOES[act] else status for status in (first, other)]
    assert [run["status"] for run in runs_of(api)] == expected


def test_a_cancelled_sweep_is_tried_again(api, dispatcher):
    run = {**BASIC, "stop": {"max_steps": 40}}
    path = api.post("/v1/experiments", json={"run": run, "sweep": [{"seed": [0, 1, 2]}]}).headers["location"]
    assert api.post(f"{path}/cancel").json()["runs"]["cancelled"] == 3
    assert api.post(f"{path}/retry").json()["runs"]["queued"] == 3
    for _ in range(100):
        dispatcher.tick()
    assert api.get(path).json()["runs"]["succeeded"] == 3


@pytest.mark.parametrize(("act", "status"), [("retry", "succeeded")])
def test_pages_say_why_nothing_can_be_done(api, in_status, act, status):
    experiment_id = in_status(status)
    run = runs_of(api)[0]
    for path in (f"/runs/{run['id']}", f"/experiments/{experiment_id}"):
        answer = api.post(f"{path}/{act}", follow_redirects=False)
        assert answer.headers["content-type"].startswith("text/html")
        assert status in answer.text


def test_the_page_of_a_cancelled_experiment_offers_another_try(api, in_status):
    path = f"/experiments/{in_status('cancelled', 'failed')}"
    assert f'action="{path}/retry"' in api.get(path).text
    assert "Retry failed and cancelled runs" in api.get(path).text
    assert api.post(f"{path}/retry", follow_redirects=False).status_code == 303
    assert "Retry" not in api.get(path).text
