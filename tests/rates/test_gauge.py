"""Which optimisers respect the symmetry of a factorisation: (F1 Q, Q^T F2) has the product of (F1, F2)."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from tests.helpers.specs import run_whole, spec
from tests.kinds.examples import example_of, kinds_of
from workers.runs.optimizers import Adam, MirrorDescent, Optimizer

FACTORISED = [kind for kind in kinds_of(Optimizer) if kind is not MirrorDescent]
"""Kinds that descend on a product; mirror descent has no factors to turn."""
FIELDS = {
    "muon": [
        {"learning_rate": 0.002},
        {"orthogonalize": "svd"},
        {"orthogonalize": "svd", "momentum": 0.0},
        {"nesterov": False, "learning_rate": 0.002},
    ],
    "adam": [{}, {"shared_scale": True}],
    "shampoo": [{}, {"every": 1}],
}
"""What else decides how a kind steps."""
OPTIMIZERS = [
    {**example_of(kind), **fields} for kind in FACTORISED for fields in FIELDS.get(example_of(kind)["kind"], [{}])
]
"""Runs of muon that have arrived jump about their goal, where the iteration of Newton and Schulz amplifies rounding; on
their way, at a small rate, they agree."""
SIGN = {"kind": "adam", "learning_rate": 0.01, "beta_1": 0.0, "beta_2": 0.0, "epsilon": 1e-300}
"""Adam without its means steps by the sign of the gradient."""


def products(optimizer, turn, steps=300):
    """The product on its way, from factors changed by an invertible matrix."""
    generator = np.random.default_rng(3)
    left, right = (0.5 * generator.standard_normal((3, 3)) for _ in range(2))
    factors = [(left @ turn).tolist(), np.linalg.solve(turn, right).tolist()]
    is_flow = optimizer["kind"] == "gradient_flow"
    run = spec(
        problem={"kind": "low_rank_completion", "shape": [3, 3], "rank": 1, "observed": 6},
        model={"kind": "deep_matrix", "depth": 2},
        init={"kind": "explicit", "factors": factors},
        optimizer=optimizer,
        stop={"max_time": 3.0} if is_flow else {"max_steps": steps},
        record={"points_per_decade": 5, "entries": [[i, j] for i in range(3) for j in range(3)]},
        engine="auto",
    )
    return run_whole(run).points.columns["entries"]


def difference(optimizer):
    turn, _ = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))
    return np.abs(products(optimizer, turn) - products(optimizer, np.eye(3))).max()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: "-".join(map(str, optimizer.values())))
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_products_do_not_depend_on_the_factorisation_where_a_kind_says_so(optimizer, decay):
    parsed = TypeAdapter(Optimizer).validate_python({**optimizer, "weight_decay": decay})
    moved = difference(parsed.model_dump(mode="json", exclude_none=True))
    if parsed.respects_factorisation:
        assert moved < (1e-4 if parsed.is_flow else 1e-10)  # the example's flow is integrated to 1e-6
    else:
        assert moved > 1e-3


def test_the_sign_of_the_gradient_depends_on_it():
    assert not Adam.is_equivariant
    assert difference(SIGN) > 1e-2


def test_scaled_gradients_do_not_depend_on_any_invertible_change_of_factors():
    """Without damping (F1 G, G^-1 F2) has the products of (F1, F2) for every invertible G (Tong, Ma, Chi 2021)."""
    scaled = {"kind": "scaled_gradient_descent", "learning_rate": 0.05}
    turn = np.array([[2.0, 0.5, 0.0], [0.0, 1.0, -1.0], [0.3, 0.0, 0.5]])
    plain, changed = (products(scaled, one, steps=30) for one in (np.eye(3), turn))
    assert np.abs(changed - plain).max() < 1e-10
    descent = {"kind": "gradient_descent", "learning_rate": 0.05}
    assert np.abs(products(descent, turn, steps=30) - products(descent, np.eye(3), steps=30)).max() > 0.1
