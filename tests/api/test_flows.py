"""Flows over HTTP: posted, sliced, read back, judged by theory, and laid beside the descents that follow them."""

import io

import numpy as np
import pytest

from tests.helpers.specs import FLOW

BALANCED = {"kind": "gaussian", "std": 1e-2, "std_of": "product", "balanced": True, "determinant": "positive"}


def runs_of(api, experiment):
    return api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]


def test_a_flow_from_end_to_end(api, finish):
    experiment = finish({"run": FLOW | {"model": {"kind": "deep_matrix", "depth": 2}, "stop": {"max_time": 1e4}}})
    (run,) = runs_of(api, experiment)
    check_how_it_ended(run)
    check_its_trajectory(api, run)
    check_its_factors(api, run)
    check_what_theory_says(api, run)
    picture = api.get(f"/v1/experiments/{experiment['id']}/figures/unobserved_entry.png")
    assert picture.content.startswith(b"\x89PNG")


def check_how_it_ended(run):
    assert (run["status"], run["outcome"]) == ("succeeded", "budget_exhausted")
    assert (run["engine"], run["device"]) == ("flow", "cpu")
    assert run["spec"]["optimizer"] == {"kind": "gradient_flow", "rtol": 1e-9, "atol": 1e-12, "weight_decay": 0.0}
    summary = run["summary"]
    assert summary["time"] == 1e4
    assert summary["steps"] == run["step"]
    assert summary["drift_exceeded_at"] is None
    assert summary["conservation_drift"] < 1e-6
    assert summary["log_abs_determinant"] < -700


def check_its_trajectory(api, run):
    columns = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
    assert columns["step"] == list(range(run["step"] + 1))
    assert columns["time"][0] == 0
    assert columns["time"][-1] == 1e4
    assert columns["unobserved_entry"][-1] == run["summary"]["unobserved_entry"] == pytest.approx(38.8, abs=0.5)


def check_its_factors(api, run):
    arrays = np.load(io.BytesIO(api.get(f"/v1/runs/{run['id']}/factors").content))
    product = arrays["factor_0"] @ arrays["factor_1"]
    assert product[0, 0] == pytest.approx(run["summary"]["unobserved_entry"], rel=1e-12)


def check_what_theory_says(api, run):
    theory = api.get(f"/v1/runs/{run['id']}/theory").json()
    assert theory["bound_holds"] is True
    assert theory["sign_held_until"] == run["step"]
    assert theory["undecided_from"] is None
    assert theory["stability_limit"] is None
    assert theory["tightness_law"]["unobserved_entry"] == pytest.approx(run["summary"]["unobserved_entry"], rel=0.01)


def test_a_flow_that_fails_is_a_failed_run_with_a_sentence(api, finish):
    experiment = finish({"run": FLOW | {"init": {"kind": "identity", "scale": 1e45}}})
    (run,) = runs_of(api, experiment)
    assert experiment["status"] == "failed"
    assert "The flow could not be integrated beyond the time" in run["error"]


def test_a_dry_run_counts_the_time_of_flows(api):
    body = {"run": FLOW, "sweep": [{"seed": [0, 1, 2]}]}
    cost = api.post("/v1/experiments?dry_run=true", json=body).json()["cost"]
    assert cost == {
        "max_steps": 0,
        "max_time": 90.0,
        "max_points": 3 * 92,
        "max_snapshot_bytes": 0,
        "max_multiply_adds": 0,
    }


def against_descent(record):
    return {
        "run": {**FLOW, "init": BALANCED, "record": record},
        "sweep": [
            {
                "optimizer": [
                    {"kind": "gradient_flow"},
                    {"kind": "gradient_descent", "learning_rate": 0.02},
                    {"kind": "gradient_descent", "learning_rate": 0.01},
                ],
                "stop": [{"max_time": 20}, {"max_steps": 1000}, {"max_steps": 2000}],
            },
            {"seed": [0, 1]},
        ],
    }


def drawn(api, experiment, file="convergence.json"):
    return api.get(f"/v1/experiments/{experiment['id']}/figures/{file}")


@pytest.mark.parametrize("entries", [[], [[0, 0], [0, 1], [1, 0], [1, 1]]])
def test_axes_set_whole_objects_and_descents_are_drawn_beside_their_flow(api, finish, entries):
    experiment = finish(against_descent({"points_per_decade": 100, "entries": entries}))
    engines = [run["engine"] for run in runs_of(api, experiment)]
    assert engines == ["flow"] * 2 + ["fused"] * 4
    assert api.get(f"/v1/experiments/{experiment['id']}/figures").json()["default"] == "convergence"
    (medians, guide) = (trace for trace in drawn(api, experiment).json()["data"] if len(trace["x"]) == 2)
    assert medians["x"] == guide["x"] == [0.01, 0.02]
    assert medians["y"][1] / medians["y"][0] == pytest.approx(2, abs=0.02)
    assert guide["y"][1] == pytest.approx(2 * guide["y"][0])
    assert drawn(api, experiment, "convergence.png").content.startswith(b"\x89PNG")


def test_flows_alone_say_that_there_is_no_descent(api, finish):
    answer = drawn(api, finish({"run": FLOW}))
    assert answer.status_code == 200
    assert "gradient_flow from the same start" in str(answer.json()["layout"])


def test_without_a_flow_there_is_no_convergence(api, finish):
    descent = {"optimizer": {"kind": "gradient_descent", "learning_rate": 0.1}, "stop": {"max_steps": 5}}
    experiment = finish({"run": FLOW | descent})
    answer = drawn(api, experiment)
    assert answer.status_code == 404
    assert "gradient_flow" in answer.json()["detail"]
