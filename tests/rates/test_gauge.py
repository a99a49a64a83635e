"""Which optimisers respect the symmetry of a factorisation: (F1 Q, Q^T F2) has the product of (F1, F2)."""

import numpy as np
import pytest

from tests.helpers.specs import run_whole, spec
from tests.kinds.examples import example_of, kinds_of
from workers.runs.optimizers import Adam, Optimizer

KINDS = kinds_of(Optimizer)
SIGN = {"kind": "adam", "learning_rate": 0.01, "beta_1": 0.0, "beta_2": 0.0, "epsilon": 1e-300}
"""Adam without its means steps by the sign of the gradient."""


def products(optimizer, turn):
    """The product on its way, from factors turned by an orthogonal matrix."""
    generator = np.random.default_rng(3)
    left, right = (0.5 * generator.standard_normal((3, 3)) for _ in range(2))
    factors = [(left @ turn).tolist(), (turn.T @ right).tolist()]
    is_flow = optimizer["kind"] == "gradient_flow"
    run = spec(
        problem={"kind": "low_rank_completion", "shape": [3, 3], "rank": 1, "observed": 6},
        model={"kind": "deep_matrix", "depth": 2},
        init={"kind": "explicit", "factors": factors},
        optimizer=optimizer,
        stop={"max_time": 3.0} if is_flow else {"max_steps": 300},
        record={"points_per_decade": 5, "entries": [[i, j] for i in range(3) for j in range(3)]},
        engine="auto",
    )
    return run_whole(run).points.columns["entries"]


def difference(optimizer):
    turn, _ = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))
    return np.abs(products(optimizer, turn) - products(optimizer, np.eye(3))).max()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_products_do_not_depend_on_the_factorisation_where_a_kind_says_so(kind, decay):
    moved = difference({**example_of(kind), "weight_decay": decay})
    if kind.is_equivariant:
        assert moved < (1e-4 if kind.is_flow else 1e-10)  # the example's flow is integrated to 1e-6
    else:
        assert moved > 1e-3


def test_the_sign_of_the_gradient_depends_on_it():
    assert not Adam.is_equivariant
    assert difference(SIGN) > 1e-2
