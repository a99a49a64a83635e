"""Numbers that follow from the definitions of optimisers by hand."""

import numpy as np
import pytest

from tests.helpers.specs import run_whole, spec
from workers.records import Outcome

TARGET = (4.0, 1.0, 0.25)
SPECTRAL = {"kind": "muon", "orthogonalize": "svd", "momentum": 0.0, "learning_rate": 0.01}


def diagonal(values):
    """All entries of a diagonal matrix, observed."""
    shape = [len(values)] * 2
    observations = [{"index": list(index), "value": float(value)} for index, value in np.ndenumerate(np.diag(values))]
    return {"kind": "completion", "shape": shape, "observations": observations}


def singular_values(steps, **parts):
    run = spec(**parts, stop={"max_steps": steps}, record={"every": 1})
    return run_whole(run).points.columns["singular_values"]


def test_spectral_descent_learns_all_modes_together_and_the_smallest_first():
    """Every mode is (0.001 + rate step)^2 until it reaches its goal, at step sqrt(s) / rate."""
    parts = {"model": {"kind": "deep_matrix", "depth": 2}, "init": {"kind": "identity", "scale": 1e-3}}
    modes = singular_values(200, problem=diagonal(TARGET), optimizer=SPECTRAL, **parts)
    assert modes[25] == pytest.approx(np.full(3, 0.063001), rel=1e-12)
    assert modes[50][:2] == pytest.approx(np.full(2, 0.251001), rel=1e-12)
    assert modes[100][0] == pytest.approx(1.002001, rel=1e-12)
    learnt = [int(np.argmax(np.abs(np.sort(modes)[:, 2 - mode] - s) < 0.01 * s)) for mode, s in enumerate(TARGET)]
    assert learnt == pytest.approx([np.sqrt(s) / 0.01 for s in TARGET], abs=2)


def test_a_momentum_of_zero_makes_nesterovs_step_the_plain_one():
    parts = {"model": {"kind": "deep_matrix", "depth": 2}, "init": {"kind": "gaussian", "std": 0.1}}
    ends = [
        run_whole(spec(problem=diagonal(TARGET), optimizer=SPECTRAL | more, **parts)).progress[0].checkpoint.state[:18]
        for more in ({}, {"nesterov": False})
    ]
    assert ends[0].tolist() == ends[1].tolist()


def test_scaled_gradients_of_two_numbers_are_herons_iteration():
    run = spec(
        problem=diagonal([2.0]),
        model={"kind": "deep_matrix", "depth": 2},
        init={"kind": "explicit", "factors": [[[1.0]], [[1.0]]]},
        optimizer={"kind": "scaled_gradient_descent", "learning_rate": 0.5},
        stop={"max_steps": 4},
        record={"every": 1},
    )
    u = np.sqrt(run_whole(run).points.columns["spectral_norm"][1:])
    assert u == pytest.approx([1.5, 1.4166666667, 1.4142156863, 1.4142135624], abs=1e-10)


def test_hypentropy_is_descent_near_zero_and_exponential_far_from_it():
    """W = beta sinh(P) of a single number: with l = (W - s)^2 / 2 and P = 0 the first step is beta sinh(rate s)."""
    run = spec(
        problem=diagonal([3.0]),
        model={"kind": "deep_matrix", "depth": 1},
        init={"kind": "explicit", "factors": [[[0.0]]]},
        optimizer={"kind": "mirror_descent", "learning_rate": 0.5, "beta": 1e-3},
        stop={"max_steps": 2},
        record={"every": 1, "entries": [[0, 0]]},
    )
    first = 1e-3 * np.sinh(1.5)
    second = 1e-3 * np.sinh(1.5 + 0.5 * (3.0 - first))
    entries = run_whole(run).points.columns["entries"][:, 0]
    assert entries == pytest.approx([0.0, first, second], rel=1e-13)


def test_a_singular_gram_matrix_ends_a_run_and_not_its_batch():
    parts = {"problem": diagonal(TARGET), "model": {"kind": "deep_matrix", "depth": 2}, "stop": {"max_steps": 50}}
    scaled = {"kind": "scaled_gradient_descent", "learning_rate": 0.1}
    zeros, ones = ({"kind": "explicit", "factors": [(x * np.eye(3)).tolist()] * 2} for x in (0.0, 1.0))
    runs = [spec(**parts, init=init, optimizer=scaled) for init in (zeros, ones)]
    assert [one.outcome for one in run_whole(*runs).progress] == [Outcome.DIVERGED, Outcome.BUDGET_EXHAUSTED]


@pytest.mark.parametrize("kind", ["muon", "shampoo", "mirror_descent"])
def test_a_run_that_diverges_leaves_its_batch_alone(kind):
    """Decompositions refuse numbers that are not finite."""
    fields = {"muon": {"orthogonalize": "svd"}, "shampoo": {"every": 1}, "mirror_descent": {"beta": 0.1}}[kind]
    model = {"kind": "deep_matrix", "depth": 1 if kind == "mirror_descent" else 2}
    runs = [
        spec(
            problem=diagonal(TARGET),
            model=model,
            init={"kind": "gaussian", "std": 0.1},
            optimizer={"kind": kind, "learning_rate": rate, **fields},
            stop={"max_steps": 40},
        )
        for rate in (1e200, 1e-3)
    ]
    both = run_whole(*runs).progress
    assert [one.outcome for one in both] == [Outcome.DIVERGED, Outcome.BUDGET_EXHAUSTED]
    alone = run_whole(runs[1]).progress[0]
    assert alone.checkpoint.state.tobytes() == both[1].checkpoint.state.tobytes()


def test_the_entropy_needs_a_positive_definite_start():
    parts = {"problem": diagonal(TARGET), "model": {"kind": "deep_matrix", "depth": 1}, "stop": {"max_steps": 5}}
    entropy = {"kind": "mirror_descent", "potential": "entropy", "learning_rate": 0.1}
    failed = run_whole(spec(**parts, optimizer=entropy, init={"kind": "gaussian", "std": 0.1})).progress[0]
    assert "symmetric positive definite start" in failed.error
