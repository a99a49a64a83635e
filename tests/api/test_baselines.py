"""A nuclear norm beside descents in one experiment, over HTTP; a symmetric factorisation and its limits."""

import copy

import pytest

from tests.helpers.specs import BASIC

SWEEP = {
    "run": {
        **{name: part for name, part in BASIC.items() if name != "model"},
        "stop": {"max_steps": 2000},
        "record": {"metrics": ["sharpness"]},
    },
    "sweep": [
        {"model": [{"kind": "deep_matrix", "depth": 1}, {"kind": "deep_matrix", "depth": 3}, {"kind": "nuclear_norm"}]}
    ],
}
SWEEP["run"]["engine"] = "auto"


def runs_of(api, experiment):
    return api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]


def test_a_baseline_stands_beside_the_descents_of_a_sweep(api, finish):
    experiment = finish(SWEEP)
    assert experiment["status"] == "succeeded"
    shallow, deep, baseline = runs_of(api, experiment)
    assert [run["spec"]["model"] for run in (shallow, deep)] == [{"kind": "deep_matrix", "depth": d} for d in (1, 3)]
    check_the_solution_of_a_baseline(baseline)
    check_what_is_measured_of_descents_alone(shallow, deep, baseline)
    check_that_it_is_read_back_like_any_run(api, baseline)
    picture = api.get(f"/v1/experiments/{experiment['id']}/figures/unobserved_entry.png")
    assert picture.headers["content-type"] == "image/png", picture.text


def check_the_solution_of_a_baseline(baseline):
    model = {"kind": "nuclear_norm", "tolerance": 1e-3, "solver": "auto", "max_seconds": 600.0}
    assert baseline["spec"]["model"] == model
    assert (baseline["engine"], baseline["outcome"], baseline["step"]) == ("convex", "converged", 0)
    summary = baseline["summary"]
    assert summary["nuclear_norm"] == pytest.approx(2, abs=3e-3)
    assert summary["unobserved_entry"] == pytest.approx(0, abs=1e-3)
    assert summary["solver"].startswith("clarabel")
    assert summary["duality_gap"] < 1e-4
    assert summary["constraint_violation"] <= 1e-6


def check_what_is_measured_of_descents_alone(shallow, deep, baseline):
    assert not {"sharpness", "gradient_norm"} & baseline["summary"].keys()
    assert not {"solver", "duality_gap", "constraint_violation"} & deep["summary"].keys()
    assert deep["summary"]["sharpness"] > 0
    assert shallow["summary"]["sharpness"] == pytest.approx(1)
    assert abs(deep["summary"]["unobserved_entry"]) > 1


def check_that_it_is_read_back_like_any_run(api, baseline):
    columns = api.get(f"/v1/runs/{baseline['id']}/trajectory").json()["columns"]
    assert columns["step"] == [0]
    assert columns["nuclear_norm"] == [baseline["summary"]["nuclear_norm"]]
    theory = api.get(f"/v1/runs/{baseline['id']}/theory").json()
    assert (theory["applies"], "nuclear_norm" in theory["reason"]) == (False, True)
    assert api.get(f"/v1/runs/{baseline['id']}/factors").content.startswith(b"PK")


def test_a_dry_run_counts_the_steps_of_descents_alone(api):
    dry = api.post("/v1/experiments?dry_run=true", json=SWEEP).json()
    assert dry["runs"] == 3
    assert dry["cost"]["max_steps"] == 4000


def test_a_baseline_needs_no_more_than_a_problem(api, finish):
    problem = {"kind": "low_rank_sensing", "shape": [5, 4], "rank": 1, "measurements": 18}
    experiment = finish({"run": {"problem": problem, "model": {"kind": "nuclear_norm"}}})
    (run,) = runs_of(api, experiment)
    assert run["outcome"] == "converged"
    assert run["summary"]["reconstruction_error"] < 0.05
    assert run["summary"]["target_rank"] == 1


def test_a_baseline_that_is_not_solved_fails_with_a_sentence_and_spares_the_others(api, finish):
    hopeless, tensor = copy.deepcopy(SWEEP), [[1.0, 0.0], [0.0, 1.0]]
    contradictory = [{"tensor": tensor, "value": value} for value in (0.0, 1.0)]
    hopeless["run"]["problem"] = {"kind": "sensing", "shape": [2, 2], "measurements": contradictory}
    experiment = finish(hopeless)
    assert (experiment["runs"]["succeeded"], experiment["runs"]["failed"]) == (2, 1)
    (failed,) = (run for run in runs_of(api, experiment) if run["status"] == "failed")
    assert "raise model.tolerance" in failed["error"]
    assert failed["outcome"] is None
    assert api.get(f"/v1/runs/{failed['id']}/trajectory").json()["points"] == 0


def test_whole_optimizers_can_be_swept(api, finish):
    run = {name: part for name, part in BASIC.items() if name != "optimizer"}
    optimizers = [{"kind": "gradient_descent", "learning_rate": 1e-2}, {"kind": "adam", "learning_rate": 1e-2}]
    experiment = finish({"run": run, "sweep": [{"optimizer": optimizers}, {"init.std": [1e-2, 1e-1]}]})
    kinds = [run["spec"]["optimizer"]["kind"] for run in runs_of(api, experiment)]
    assert kinds == ["gradient_descent"] * 2 + ["adam"] * 2


def test_a_symmetric_factorisation_beside_its_theory(api, finish):
    init = {"kind": "gaussian", "std": 0.1, "determinant": "positive"}
    run = BASIC | {"model": {"kind": "symmetric_matrix"}, "init": init, "engine": "fused"}
    (found,) = runs_of(api, finish({"run": run}))
    assert found["engine"] == "fused"
    assert "balancedness_gap" not in found["summary"]
    theory = api.get(f"/v1/runs/{found['id']}/theory").json()
    assert theory["applies"] is True
    assert theory["bound_holds"] is True
    assert theory["sign_held_until"] == found["step"]
    assert theory["predicted_limit"] == "Infinity"


@pytest.mark.parametrize(("z", "tolerance"), [(1e-6, 1e-9), (1.0, 1e-3), (40.0, 1e-3)])
def test_the_stored_spec_has_the_tolerance_that_suits_the_data(api, finish, z, tolerance):
    problem = {"kind": "perturbed_2x2", "z": z, "z_prime": z}
    experiment = finish({"run": {"problem": problem, "model": {"kind": "nuclear_norm"}}})
    (run,) = runs_of(api, experiment)
    assert run["spec"]["model"]["tolerance"] == pytest.approx(tolerance, rel=1e-15)
    assert run["summary"]["nuclear_norm"] == pytest.approx(2 * z, rel=3e-3)


REGRESSION = {"kind": "regression", "inputs": [[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]], "outputs": [1.0, 1.0]}
"""The data of R6 in docs/field.md."""


def test_sparse_baselines_stand_beside_each_other_and_are_asked_for_by_their_fields(api, finish):
    models = [{"kind": "least_l1"}, {"kind": "least_q", "alpha": 0.1}, {"kind": "least_q", "alpha": 0.1, "depth": 3}]
    experiment = finish({"run": {"problem": REGRESSION, "record": {"entries": [[0, 0]]}}, "sweep": [{"model": models}]})
    sums, potential, deeper = runs_of(api, experiment)
    assert [run["outcome"] for run in (sums, potential, deeper)] == ["converged"] * 3
    assert sums["summary"]["solver"].startswith("highs of scipy")
    assert "stationarity" not in sums["summary"]
    assert potential["summary"]["stationarity"] < 1e-10
    assert "gradient_norm" not in potential["summary"]
    where = (
        f"experiment_id = '{experiment['id']}' AND model.alpha = 0.1 AND model.depth = 2 AND summary.stationarity < 1"
    )
    items = api.get("/v1/runs", params={"where": where}).json()["items"]
    assert [run["id"] for run in items] == [potential["id"]]
    columns = api.get(f"/v1/runs/{potential['id']}/trajectory").json()["columns"]
    assert columns["entries"][0] == pytest.approx([0.0046103849], abs=1e-9)


def test_a_baseline_of_several_points_has_a_trajectory(api, finish):
    problem = {"kind": "low_rank_completion", "shape": [6, 5], "rank": 2, "observed": 26}
    models = [{"kind": "greedy_low_rank", "loss_below": 1e-9}, {"kind": "soft_impute", "penalties": 4}]
    experiment = finish({"run": {"problem": problem}, "sweep": [{"model": models}]})
    greedy, soft = runs_of(api, experiment)
    assert (greedy["outcome"], greedy["step"], soft["outcome"], soft["step"]) == ("converged", 2, "converged", 4)
    assert greedy["spec"]["model"]["epsilon"] < 1e-5
    assert soft["spec"]["model"]["penalty"] > 0
    for run in (greedy, soft):
        columns = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
        assert columns["step"] == [*range(run["step"] + 1)]
        assert columns["loss"] == sorted(columns["loss"], reverse=True)
        assert api.get(f"/v1/runs/{run['id']}/theory").json()["applies"] is False
        refusal = api.post(f"/v1/runs/{run['id']}/extend", json={"max_steps": 100})
        assert (refusal.status_code, "solved at once" in refusal.text) == (409, True)
        assert api.get(f"/runs/{run['id']}").status_code == 200
    for name in ("metrics", "singular_values"):
        assert api.get(f"/v1/experiments/{experiment['id']}/figures/{name}.png").status_code == 200


def test_a_dry_run_prices_the_points_of_baselines(api):
    problem = {"kind": "low_rank_completion", "shape": [6, 5], "rank": 2, "observed": 26}
    for model, points in (({"kind": "greedy_low_rank"}, 6), ({"kind": "soft_impute"}, 11), ({"kind": "least_l1"}, 1)):
        cost = api.post("/v1/experiments?dry_run=true", json={"run": {"problem": problem, "model": model}}).json()[
            "cost"
        ]
        assert (cost["max_points"], cost["max_steps"]) == (points, 0)
        assert cost["max_multiply_adds"] > 0
