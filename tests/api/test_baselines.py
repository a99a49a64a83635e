"""A nuclear norm beside descents in one experiment, over HTTP; a symmetric factorisation and its limits."""

import copy

import pytest

from tests.helpers.specs import BASIC

SWEEP = {
    "run": {**{name: part for name, part in BASIC.items() if name != "model"}, "record": {"metrics": ["sharpness"]}},
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
