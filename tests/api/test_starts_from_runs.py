"""Starts at the factors of another run: read when an experiment is submitted, and stored with it."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Limits
from tests.helpers.specs import BASIC

SHORT = BASIC | {"stop": {"max_steps": 50}, "init": {"kind": "gaussian", "std": 0.4}}


@pytest.fixture
def source(finish, api):
    """A finished run."""
    experiment = finish({"run": SHORT})
    return api.get(f"/v1/runs?experiment_id={experiment['id']}").json()["items"][0]


def start(source, **fields):
    return SHORT | {"init": {"kind": "run", "id": source["id"], **fields}}


def runs_of(api, experiment):
    return api.get(f"/v1/runs?experiment_id={experiment['id']}").json()["items"]


def factors_of(api, run):
    with np.load(io.BytesIO(api.get(f"/v1/runs/{run['id']}/factors").content)) as file:
        return [file[name] for name in file.files]


def refusal(api, body):
    answers = [api.post(path, json=body) for path in ("/v1/experiments", "/v1/experiments?dry_run=true")]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]
    (mistake,) = answers[0].json()["errors"]
    return mistake["pointer"], mistake["detail"]


def test_a_run_goes_on_where_another_stands(api, finish, source):
    (run,) = runs_of(api, finish({"run": start(source)}))
    begun = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]["loss"][0]
    assert begun == source["summary"]["loss"]
    assert run["summary"]["loss"] < begun
    init = run["spec"]["init"]
    assert (init["id"], init["step"]) == (source["id"], 50)
    for stored, theirs in zip(init["factors"], factors_of(api, source), strict=True):
        assert np.array_equal(stored, theirs)
    whole = runs_of(api, finish({"run": SHORT | {"stop": {"max_steps": 100}}}))[0]
    for ours, theirs in zip(factors_of(api, run), factors_of(api, whole), strict=True):
        assert np.array_equal(ours, theirs)


def test_nothing_depends_on_the_other_run_once_the_experiment_is_stored(api, finish, source):
    (run,) = runs_of(api, finish({"run": start(source)}))
    accepted = api.post("/v1/experiments", json={"run": start(source)})
    assert api.delete(f"/v1/experiments/{source['experiment_id']}").status_code == 204
    (later,) = runs_of(api, accepted.json())
    assert later["spec"] == run["spec"]
    (again,) = runs_of(api, finish({"run": run["spec"]}))
    assert again["summary"] == run["summary"]
    assert refusal(api, {"run": start(source)})[0] == "/run/init/id"


def test_a_step_is_taken_where_the_other_run_stands_there(api, finish, source):
    (run,) = runs_of(api, finish({"run": start(source, step=50)}))
    assert run["spec"]["init"]["step"] == 50
    pointer, detail = refusal(api, {"run": start(source, step=20)})
    assert pointer == "/run/init/step"
    assert "at step 50" in detail


def test_a_step_at_which_the_other_run_kept_its_factors_is_a_start(api, finish):
    keeping = SHORT | {"record": {"factors": {"steps": [20]}}}
    (source,) = runs_of(api, finish({"run": keeping}))
    (run,) = runs_of(api, finish({"run": start(source, step=20) | {"stop": {"max_steps": 30}}}))
    assert run["spec"]["init"]["step"] == 20
    for ours, theirs in zip(factors_of(api, run), factors_of(api, source), strict=True):
        assert np.array_equal(ours, theirs)
    pointer, detail = refusal(api, {"run": start(source, step=19)})
    assert pointer == "/run/init/step"
    assert "20" in detail


def test_a_short_id_is_stored_as_the_whole(api, finish, source):
    (run,) = runs_of(api, finish({"run": SHORT | {"init": {"kind": "run", "id": source["id"][-12:]}}}))
    assert run["spec"]["init"]["id"] == source["id"]


def test_runs_of_a_sweep_share_a_start(api, finish, source):
    body = {"run": start(source), "sweep": [{"optimizer.learning_rate": [1e-3, 1e-2]}, {"seed": [0, 1]}]}
    runs = runs_of(api, finish(body))
    assert len({str(run["spec"]["init"]["factors"]) for run in runs}) == 1
    assert len({run["summary"]["loss"] for run in runs}) == 2


def test_an_axis_of_starts_is_pointed_at(api, source):
    swept = [{"kind": "run", "id": source["id"]}, {"kind": "run", "id": "nobody"}]
    pointer, detail = refusal(api, {"run": SHORT, "sweep": [{"init": swept}]})
    assert pointer == "/sweep/0/init/1/id"
    assert "no run 'nobody'" in detail


def test_factors_of_another_shape_are_refused(api, source):
    body = {"run": start(source) | {"model": {"kind": "deep_matrix", "depth": 2}}}
    pointer, detail = refusal(api, body)
    assert pointer == "/run/init/id"
    assert "2 x 2, 2 x 2, 2 x 2 and 2 x 2, 2 x 2" in detail


def test_a_run_without_factors_is_refused(api):
    waiting = api.post("/v1/experiments", json={"run": SHORT}).json()
    pointer, detail = refusal(api, {"run": start(runs_of(api, waiting)[0])})
    assert pointer == "/run/init/id"
    assert "no factors yet" in detail


def test_a_diverged_run_is_a_start_with_its_last_finite_factors(api, finish):
    optimizer = {"kind": "gradient_descent", "learning_rate": 1e30}
    (run,) = runs_of(api, finish({"run": SHORT | {"optimizer": optimizer}}))
    assert run["outcome"] == "diverged"
    assert all(np.isfinite(factor).all() for factor in factors_of(api, run))
    assert api.post("/v1/experiments", json={"run": start(run)}).status_code == 202


def test_a_start_of_too_many_numbers_is_refused(settings, database, source):
    with TestClient(create_app(settings, Limits(max_start_numbers=11)), base_url="http://localhost") as client:
        pointer, detail = refusal(client, {"run": start(source)})
    assert pointer == "/run/init/id"
    assert "RANKWARD_MAX_START_NUMBERS" in detail


def test_specs_with_the_factors_that_were_read_count_against_the_bytes_of_a_sweep(settings, database, source):
    limits = Limits(max_spec_bytes_per_experiment=700)
    body = {"run": start(source), "sweep": [{"seed": [0, 1]}]}
    with TestClient(create_app(settings, limits), base_url="http://localhost") as client:
        assert client.post("/v1/experiments", json=body | {"sweep": []}).status_code == 202
        pointer, detail = refusal(client, body)
    assert pointer == "/sweep"
    assert "RANKWARD_MAX_SPEC_BYTES_PER_EXPERIMENT" in detail
