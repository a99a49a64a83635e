"""The torch engine above the limits of the fused one: a run has the same bits alone, batched, and split."""

import numpy as np
import pytest

from tests.helpers.slices import EXACT, assert_same, assert_same_progress, points_of, points_of_run, run_in_slices
from tests.helpers.specs import run_whole
from workers.lab.engines.descent import engine
from workers.runs.spec import RunSpec

pytestmark = pytest.mark.slow

MATRIX = {"kind": "low_rank_completion", "rank": 2, "norm": 10}
CASES = {
    "300 x 270, momentum": ([300, 270], 3, None, {"kind": "momentum"}, "float64"),
    "261 x 300, single precision": ([261, 300], 2, None, {"kind": "gradient_descent"}, "float32"),
    "280 x 280, adam": ([280, 280], 2, None, {"kind": "adam"}, "float64"),
    "through a hidden width of 1": ([270, 290], 3, 1, {"kind": "group_rmsprop"}, "float64"),
    "a row": ([1, 600], 2, 30, {"kind": "momentum"}, "float64"),
}


def specs_of(case: str, **changes) -> list[RunSpec]:
    shape, depth, width, optimizer, precision = CASES[case]
    model = {"kind": "deep_matrix", "depth": depth} | ({"hidden_width": width} if width else {})
    run = {
        "problem": {**MATRIX, "shape": shape, "observed": shape[0] * shape[1] // 3, "rank": min(2, *shape)},
        "model": model,
        "init": {"kind": "gaussian", "std": 0.05},
        "optimizer": {"learning_rate": 1e-3, **optimizer},
        "stop": {"max_steps": 12},
        "record": {"every": 4},
        "precision": precision,
        "engine": "torch",
    }
    return [RunSpec.model_validate({**run, **changes, "seed": seed}) for seed in range(3)]


@pytest.mark.parametrize("case", CASES)
def test_alone_equals_batched(case):
    specs = specs_of(case)
    together = run_whole(*specs)
    for run, spec in enumerate(specs):
        alone = run_whole(spec)
        np.testing.assert_array_equal(
            alone.progress[0].checkpoint.state, together.progress[run].checkpoint.state, err_msg=str(run)
        )
        ours, theirs = points_of(alone), points_of_run(together, run)
        assert {step: point["loss"] for step, point in ours.items()} == {s: p["loss"] for s, p in theirs.items()}


@pytest.mark.parametrize("case", ["300 x 270, momentum", "a row"])
def test_split_equals_unsplit(case):
    specs = specs_of(case)[:1]
    sliced, points = run_in_slices(specs, [5, 1, 50])
    whole = run_whole(*specs)
    assert_same_progress(sliced.progress[0], whole.progress[0])
    assert_same(points, points_of(whole), **EXACT)


def test_a_single_run_is_computed_once(monkeypatch):
    lanes = []
    build = engine.build_gradient
    monkeypatch.setattr(engine, "build_gradient", lambda specs, *rest: lanes.append(len(specs)) or build(specs, *rest))
    run_whole(specs_of("300 x 270, momentum")[0])
    assert lanes == [1]
