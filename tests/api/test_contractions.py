"""Contractions over HTTP: posted, computed, their factors by name; and mistakes in them, down to the letter."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Limits
from tests.helpers.specs import BASIC

MODEL = {
    "kind": "contraction",
    "factors": {"file": [2, 3], "core": [3], "v": [2, 3]},
    "terms": [{"of": ["base"], "einsum": "ij->ij"}, {"of": ["file", "core", "v"], "einsum": "ir,r,jr->ij"}],
    "constants": {"base": [[0.5, 0.0], [0.0, 0.5]]},
}
PROBLEM = {"kind": "low_rank_completion", "shape": [2, 2], "rank": 1, "observed": 3}
START = {"file": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], "core": [1.0, -1.0, 0.5], "v": [[0.3] * 3, [0.2] * 3]}
RUN = BASIC | {"problem": PROBLEM, "model": MODEL, "stop": {"max_steps": 20}, "record": {"every": 5}}
RUN |= {"init": {"kind": "explicit", "factors": START}}


def errors_of(answer):
    assert answer.status_code == 422
    return answer.json()["errors"]


def test_a_contraction_from_end_to_end(api, finish):
    experiment = finish({"run": RUN})
    (run,) = api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]
    assert run["status"] == "succeeded"
    assert run["engine"] == "torch"
    assert run["spec"]["model"] == MODEL | {"terms": [{**term, "sign": 1} for term in MODEL["terms"]]}
    assert run["spec"]["init"]["factors"] == START
    assert run["summary"]["balancedness_gap"] > 0
    with np.load(io.BytesIO(api.get(f"/v1/runs/{run['id']}/factors").content)) as file:
        arrays = {name: file[name] for name in file.files}
    assert list(arrays) == ["file", "core", "v"]
    product = np.eye(2) / 2 + np.einsum("ir,r,jr->ij", *arrays.values())
    assert np.linalg.norm(product) == pytest.approx(run["summary"]["frobenius_norm"], rel=1e-12)
    for where in ("model.factors.core[0] = 3", "model.constants.base[0][0] > 0.4", "init.factors.core[1] < 0"):
        chosen = api.get("/v1/runs", params={"where": where}).json()
        assert [item["id"] for item in chosen["items"]] == [run["id"]], where
    further = RUN | {"init": {"kind": "run", "id": run["id"]}}
    (later,) = api.get("/v1/runs", params={"experiment_id": finish({"run": further})["id"]}).json()["items"]
    assert later["summary"]["loss"] < run["summary"]["loss"]


def test_a_contraction_may_be_swept(api):
    sizes = {"core": [[3], [4]], "file": [[2, 3], [2, 4]], "v": [[2, 3], [2, 4]]}
    sweep = [{f"model.factors.{name}": shapes for name, shapes in sizes.items()}]
    body = {"run": RUN | {"init": {"kind": "gaussian", "std": 0.1}}, "sweep": sweep}
    assert api.post("/v1/experiments?dry_run=true", json=body).json()["runs"] == 2


def test_a_mistake_in_subscripts_points_at_the_character(api):
    terms = [MODEL["terms"][0], MODEL["terms"][1] | {"einsum": "ir,r,ir->ij"}]
    (error,) = errors_of(api.post("/v1/experiments", json={"run": RUN | {"model": MODEL | {"terms": terms}}}))
    assert error["pointer"] == "/run/model/terms/1/einsum"
    assert error["character"] == 10
    assert error["excerpt"].splitlines() == ["ir,r,ir->ij", " " * 10 + "^"]
    assert "No operand has the letter 'j'" in error["detail"]


def test_a_mistake_in_a_swept_model_points_into_the_sweep(api):
    body = {"run": RUN, "sweep": [{"model": [MODEL, MODEL | {"factors": MODEL["factors"] | {"extra": [1]}}]}]}
    (error,) = errors_of(api.post("/v1/experiments", json=body))
    assert error["pointer"] == "/sweep/0/model/1/factors/extra"


def test_a_wrong_start_points_at_its_factor(api):
    wrong = {"kind": "explicit", "factors": START | {"core": [1.0, 2.0]}}
    (error,) = errors_of(api.post("/v1/experiments", json={"run": RUN | {"init": wrong}}))
    assert error == {"pointer": "/run/init/factors/core", "detail": "This is a vector: give 3 numbers."}
    unnamed = RUN | {"model": {"kind": "deep_matrix", "depth": 2}, "init": {"kind": "explicit", "factors": START}}
    (error,) = errors_of(api.post("/v1/experiments", json={"run": unnamed}))
    assert error["pointer"] == "/run/init/factors/file"
    assert "factor_0, factor_1" in error["detail"]


def test_the_price_of_a_contraction_is_limited_before_anything_is_computed(api):
    """10^15 multiply-adds of a matrix that is small."""
    pairs = ["ab", "bc", "ca", "ad", "bd", "cd", "ae", "be", "ce", "de"]
    names = [f"f{number}" for number in range(len(pairs))]
    model = {
        "kind": "contraction",
        "factors": {**{name: [200, 200] for name in names}, "u": [2, 200], "v": [200, 2]},
        "terms": [{"of": ["u", *names, "v"], "einsum": f"ia,{','.join(pairs)},bj->ij"}],
    }
    run = RUN | {"model": model, "init": {"kind": "gaussian", "std": 0.1}}
    (error,) = errors_of(api.post("/v1/experiments", json={"run": run}))
    assert error["pointer"] == "/run/model"
    assert "RANKWARD_MAX_CONTRACTION_MULTIPLY_ADDS" in error["detail"]


@pytest.mark.parametrize(
    ("name", "most"),
    [("max_contraction_multiply_adds", 9), ("max_contraction_numbers", 9), ("max_constant_numbers", 3)],
)
def test_limits_of_contractions_have_names(settings, name, most):
    with TestClient(create_app(settings, Limits.model_validate({name: most})), base_url="http://localhost") as client:
        (error,) = errors_of(client.post("/v1/experiments", json={"run": RUN}))
    assert error["pointer"] == "/run/model"
    assert f"above the limit {name} of {most}" in error["detail"]
    assert f"RANKWARD_{name.upper()}" in error["detail"]


def test_plugins_are_reserved(api):
    answer = api.get("/v1/plugins").json()
    assert answer["items"] == []
    assert "reserved" in answer["detail"]
    plugin = {"kind": "plugin", "name": "relu_matrix", "version": ">=1", "parameters": {}}
    (error,) = errors_of(api.post("/v1/experiments", json={"run": RUN | {"model": plugin}}))
    assert error["pointer"] == "/run/model/kind"
    assert "GET /v1/plugins lists none" in error["detail"]
