"""LAPACK decomposes each matrix of a batch by itself: a run alone has the bits of the run among others."""

import pytest

from tests.helpers.specs import run_whole, spec

OPTIMIZERS = [
    {"kind": "muon", "orthogonalize": "svd"},
    {"kind": "muon"},
    {"kind": "shampoo", "every": 2},
    {"kind": "scaled_gradient_descent", "damping": 0.01},
    {"kind": "mirror_descent", "beta": 0.01},
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: "-".join(map(str, one.values())))
@pytest.mark.parametrize(("shape", "width"), [([40, 40], 40), ([17, 5], 3), ([30, 1], 1)], ids=str)
def test_a_run_alone_has_the_bits_of_a_batch(optimizer, shape, width):
    depth_1 = {"kind": "deep_matrix", "depth": 1}
    model = depth_1 if optimizer["kind"] == "mirror_descent" else depth_1 | {"depth": 2, "hidden_width": width}
    runs = [
        spec(
            problem={"kind": "low_rank_completion", "shape": shape, "rank": 1, "observed": 15},
            model=model,
            init={"kind": "gaussian", "std": 0.3},
            optimizer={**optimizer, "learning_rate": 0.01},
            stop={"max_steps": 6},
            record={"every": 0},
            seed=seed,
        )
        for seed in range(4)
    ]
    batched, alone = run_whole(*runs).progress[2], run_whole(runs[2]).progress[0]
    assert alone.checkpoint.state.tobytes() == batched.checkpoint.state.tobytes()
