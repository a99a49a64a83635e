"""Descents with mini-batches and noise on every kind of problem."""

import pytest

from tests.helpers.specs import spec

REGRESSION = {"kind": "random_regression", "samples": 12, "dimension": 3, "outputs": 2, "noise": 0.1}

SENSING = {"kind": "low_rank_sensing", "shape": [3, 2], "rank": 1, "measurements": 9, "norm": 1.0}

ENTRIES = {"kind": "low_rank_completion", "shape": [3, 4], "rank": 2, "observed": 7}

FEW = {"kind": "low_rank_completion", "shape": [12, 12, 12], "rank": 1, "observed": 40}

VECTOR = {"kind": "random_regression", "samples": 11, "dimension": 5, "noise": 0.1}

OBSERVED = [{"index": [0, number], "value": 0.3 * number} for number in (0, 1, 3, 4)]

VECTOR_ENTRIES = {"kind": "completion", "shape": [1, 5], "observations": OBSERVED}

PROBLEMS = {
    "entries": ENTRIES,
    "few": FEW,
    "sensing": SENSING,
    "regression": REGRESSION,
    "vector": VECTOR,
    "vector's entries": VECTOR_ENTRIES,
}

MODELS = {
    "few": {"kind": "cp_tensor", "rank": 3},
    "vector": {"kind": "diagonal", "depth": 2},
    "vector's entries": {"kind": "diagonal", "depth": 3, "form": "product"},
}

LABELS = {"kind": "label", "std": 0.5, "distribution": "rademacher"}

DISTURBANCES = {
    "labels": {"noise": {"kind": "label", "std": 0.3}},
    "gradients": {"noise": {"kind": "gradient", "std": 0.3, "distribution": "rademacher"}},
    "batch": {"batch": {"size": 3}},
    "repeated": {"batch": {"size": 4, "replacement": True}},
    "labels of a batch": {"noise": LABELS, "batch": {"size": 3}},
}

both_engines = pytest.mark.parametrize("engine", ["torch", "fused"])

every_problem = pytest.mark.parametrize("problem", PROBLEMS)


def descent(problem="entries", loss="half_sse", steps=10, seed=0, **optimizer):
    """A descent whose optimiser has further fields, with its factors at every step."""
    parts = {
        "problem": PROBLEMS[problem],
        "loss": loss,
        "model": MODELS.get(problem, {"kind": "deep_matrix", "depth": 2}),
        "init": {"kind": "gaussian", "std": 0.4},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 0.02} | optimizer,
        "stop": {"max_steps": steps},
        "record": {"every": 1, "factors": {"every": 1}},
        "engine": "auto",
        "seed": seed,
    }
    return spec(**parts)
