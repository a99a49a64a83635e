"""A small valid instance of every kind of model, problem, optimiser and start."""

from collections.abc import Mapping
from typing import Any, get_args

from workers.runs.models import CpTensor, DeepMatrix, NuclearNorm, SymmetricMatrix
from workers.runs.optimizers import Adam, GradientDescent, GradientFlow, GroupRmsprop, Momentum
from workers.runs.problems import (
    AllButCorner,
    Completion,
    LowRankCompletion,
    LowRankSensing,
    Perturbed2x2,
    Sensing,
)
from workers.runs.starts import Explicit, Gaussian, Identity

Example = Mapping[str, Any]

EXAMPLES: dict[type, Example] = {
    DeepMatrix: {"kind": "deep_matrix", "depth": 3, "hidden_width": 2},
    SymmetricMatrix: {"kind": "symmetric_matrix", "rank": 2},
    CpTensor: {"kind": "cp_tensor", "rank": 2},
    NuclearNorm: {"kind": "nuclear_norm", "tolerance": 0.1},
    Perturbed2x2: {"kind": "perturbed_2x2", "z": 1.5, "epsilon": 0.25},
    AllButCorner: {"kind": "all_but_corner", "dimension": 2},
    Completion: {
        "kind": "completion",
        "shape": [2, 2],
        "observations": [{"index": [0, 1], "value": 0.5}, {"index": [1, 1], "value": 0.25}],
        "target": [[1.0, 0.5], [0.5, 0.25]],
    },
    Sensing: {
        "kind": "sensing",
        "shape": [2, 2],
        "measurements": [
            {"tensor": [[1.0, 2.0], [0.0, -1.0]], "value": 0.5},
            {"tensor": [[0.0, 1.0], [1.0, 0.5]], "value": -0.5},
        ],
    },
    LowRankCompletion: {"kind": "low_rank_completion", "shape": [2, 2], "rank": 1, "observed": 3},
    LowRankSensing: {"kind": "low_rank_sensing", "shape": [2, 2], "rank": 1, "measurements": 3},
    GradientDescent: {"kind": "gradient_descent", "learning_rate": 0.05},
    Momentum: {"kind": "momentum", "learning_rate": 0.02, "beta": 0.8},
    Adam: {"kind": "adam", "learning_rate": 0.02},
    GroupRmsprop: {"kind": "group_rmsprop", "learning_rate": 0.02},
    GradientFlow: {"kind": "gradient_flow", "rtol": 1e-6},
    Gaussian: {"kind": "gaussian", "std": 0.5},
    Identity: {"kind": "identity", "scale": 0.5},
    Explicit: {"kind": "explicit", "factors": [[[0.3, 0.1], [-0.2, 0.4]]]},
}


def example_of(kind: type) -> Example:
    """The JSON of a small valid instance of a kind."""
    return EXAMPLES[kind]


def kinds_of(union: Any) -> tuple[type, ...]:
    """The classes of a discriminated union, so that a new kind is tested by being in its union."""
    return get_args(get_args(union)[0])
