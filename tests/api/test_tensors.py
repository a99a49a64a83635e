"""Tensor experiments over HTTP: spec, summary, columns."""

import copy

RUN = {
    "problem": {"kind": "low_rank_completion", "shape": [4, 4, 4], "rank": 1},
    "model": {"kind": "cp_tensor"},
    "init": {"kind": "gaussian", "std": 1e-2},
    "optimizer": {"kind": "group_rmsprop", "learning_rate": 1e-2},
    "stop": {"max_steps": 400, "loss_below": 1e-6},
    "record": {"points_per_decade": 10},
}
SWEEP = {"run": RUN, "sweep": [{"problem.observed": [20, 50]}, {"seed": [0, 1]}]}


def test_a_tensor_experiment_from_post_to_columns(api, finish):
    experiment = finish(SWEEP)
    assert experiment["status"] == "succeeded"
    runs = api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]
    summary = runs[-1]["summary"]
    assert runs[-1]["spec"]["loss"] == "mse"
    assert runs[-1]["spec"]["optimizer"] == {
        "kind": "group_rmsprop",
        "learning_rate": 1e-2,
        "beta": 0.99,
        "epsilon": 1e-6,
        "weight_decay": 0.0,
        "decay": "coupled",
    }
    assert summary["target_rank"] == 1
    assert summary["linear_rank"] >= 1
    assert summary["rank"] >= 1
    assert 0 < summary["linear_reconstruction_error"] < 1
    columns = api.get(f"/v1/runs/{runs[-1]['id']}/trajectory").json()["columns"]
    assert columns.keys() >= {"loss", "reconstruction_error", "frobenius_norm", "gradient_norm", "component_norms"}
    assert "singular_values" not in columns
    assert all(len(norms) == 10 for norms in columns["component_norms"])


def test_factors_of_components(api, finish):
    one = copy.deepcopy(SWEEP)
    one["sweep"] = [{"problem.observed": [20]}]
    experiment = finish(one)
    (run,) = api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]
    assert api.get(f"/v1/runs/{run['id']}/factors").content.startswith(b"PK")


def test_presets_name_a_figure_that_exists(api):
    from service.figures.kinds import KINDS

    presets = api.get("/v1/presets").json()["items"]
    assert {preset["figure"] for preset in presets} <= set(KINDS)
