"""How runs end that do not end well, and that their batch does not notice."""

import json

import numpy as np
import pytest
import torch

from tests.helpers.slices import points_of
from tests.helpers.specs import member, run_whole
from workers.records import Batch, Budget, Outcome
from workers.runs.spec import RunSpec
from workers.slices import run_slice


def test_one_diverging_run_leaves_the_others_untouched():
    def spec(rate: float) -> RunSpec:
        return RunSpec.model_validate(
            {
                "problem": {"kind": "perturbed_2x2"},
                "model": {"kind": "deep_matrix", "depth": 3},
                "init": {"kind": "identity", "scale": 1.0},
                "optimizer": {"kind": "gradient_descent", "learning_rate": rate},
                "stop": {"max_steps": 500},
                "record": {"every": 100},
                "engine": "torch",
            }
        )

    calm = run_whole(spec(0.01), spec(0.02))
    disturbed = run_whole(spec(0.01), spec(50.0), spec(0.02))
    assert [one.outcome for one in disturbed.progress] == [
        Outcome.BUDGET_EXHAUSTED,
        Outcome.DIVERGED,
        Outcome.BUDGET_EXHAUSTED,
    ]
    for calm_run, position in ((0, 0), (1, 2)):
        np.testing.assert_array_equal(
            calm.progress[calm_run].checkpoint.state, disturbed.progress[position].checkpoint.state
        )
    diverged = disturbed.progress[1]
    assert np.isfinite(diverged.checkpoint.state).all()
    last = points_of(disturbed)[(1, diverged.checkpoint.step)]
    assert np.isfinite(last["loss"])
    assert np.isfinite(last["frobenius_norm"])
    after = run_slice(Batch((member(spec(50.0), diverged.checkpoint),)), Budget(600, 1))
    assert after.progress[0].outcome == Outcome.DIVERGED  # one more step leaves the finite numbers


@pytest.mark.parametrize(
    "init",
    [
        {"kind": "identity", "scale": 1e200},
        {"kind": "gaussian", "std": 1e200, "balanced": True},
        {"kind": "gaussian", "std": 1e308, "determinant": "positive"},
        {"kind": "gaussian", "std": 1e-300, "std_of": "product", "balanced": True},
        {"kind": "explicit", "factors": [[[1e300, 1.0], [1.0, 1e300]]] * 3},
    ],
)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_extreme_starts_end_as_values_and_spare_their_batch(init, precision):
    base = {
        "problem": {"kind": "perturbed_2x2"},
        "model": {"kind": "deep_matrix", "depth": 3},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 0.1},
        "stop": {"max_steps": 5},
        "precision": precision,
        "engine": "torch",
    }
    extreme = RunSpec.model_validate(base | {"init": init})
    calm = RunSpec.model_validate(base | {"init": {"kind": "identity", "scale": 0.5}})
    result = run_whole(extreme, calm)
    assert result.progress[0].error or result.progress[0].outcome
    assert result.progress[1].outcome == Outcome.BUDGET_EXHAUSTED


def test_a_start_that_does_not_exist_is_that_run_s_error_alone(monkeypatch: pytest.MonkeyPatch):
    base = {
        "problem": {"kind": "perturbed_2x2"},
        "model": {"kind": "deep_matrix", "depth": 2},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 0.1},
        "stop": {"max_steps": 3},
        "engine": "torch",
    }
    fine = RunSpec.model_validate(base | {"init": {"kind": "identity", "scale": 1.0}})
    never = RunSpec.model_validate(base | {"init": {"kind": "gaussian", "std": 1.0, "determinant": "negative"}})
    monkeypatch.setattr("workers.runs.starts.drawn.MOST_REDRAWS", 0)
    result = run_whole(never, fine, never)
    assert [one.error is not None for one in result.progress] == [True, False, True]
    assert result.progress[1].checkpoint.step == 3
    assert set(result.points.member.tolist()) == {1}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_device_that_is_not_there_is_a_sentence(engine):
    spec = RunSpec.model_validate(
        {
            "problem": {"kind": "perturbed_2x2"},
            "model": {"kind": "deep_matrix", "depth": 2},
            "init": {"kind": "identity", "scale": 1.0},
            "optimizer": {"kind": "gradient_descent", "learning_rate": 0.1},
            "stop": {"max_steps": 3},
            "engine": engine,
            "device": "cuda",
        }
    )
    (progress,) = run_whole(spec).progress
    assert "no CUDA device" in progress.error


def test_specs_survive_their_own_json():
    spec = RunSpec.model_validate_json(
        json.dumps(
            {
                "problem": {"kind": "all_but_corner", "dimension": 3},
                "model": {"kind": "deep_matrix", "depth": 2},
                "init": {"kind": "identity", "scale": 0.1},
                "optimizer": {"kind": "momentum", "learning_rate": 0.1},
                "stop": {"max_steps": 1e6},
            }
        )
    )
    assert spec.stop.max_steps == 1_000_000
    assert RunSpec.model_validate(spec.resolved()) == spec
    assert RunSpec.model_validate_json(json.dumps(spec.resolved())) == spec
