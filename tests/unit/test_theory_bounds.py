"""Bounds against random matrices and the listed values; recognition of settings under every symmetry."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.specs import spec
from workers.runs.theory import bounds
from workers.runs.theory.settings import Recognised, recognise

LOSSES = np.array([1.3e-1, 1.3e-2, 1.3e-3, 1.3e-4, 1e-4, 1e-6])
BOUND = np.array([1.505, 6.043, 19.561, 62.001, 70.697, 707.105])
EFFECTIVE_RANK = np.array([1.761, 1.128, 1.018, 1.0024, 1.0019, 1.00003])


def problem(**fields):
    return spec(problem=fields, init={"kind": "identity", "scale": 1.0}).problem


def all_but(values, unobserved):
    observations = [
        {"index": list(index), "value": float(values[index])}
        for index in np.ndindex(values.shape)
        if index != unobserved
    ]
    return problem(kind="completion", shape=list(values.shape), observations=observations)


def recognised(one) -> Recognised:
    found = recognise(one)
    assert isinstance(found, Recognised), found
    return found


BASIC = recognised(problem(kind="perturbed_2x2"))


def test_the_listed_values_of_the_bound_and_the_effective_rank():
    assert bounds.basic_bound(LOSSES) == pytest.approx(BOUND, abs=6e-4)
    assert bounds.effective_rank_at_most(BASIC.setting, LOSSES) == pytest.approx(EFFECTIVE_RANK, abs=5e-4)


def test_the_basic_bound_is_continuous_and_ends_at_one_half():
    edges = bounds.basic_bound(np.array([3 / 8 - 1e-12, 3 / 8 + 1e-12, 0.5, 0.7, np.inf]))
    assert edges[0] == pytest.approx(edges[1], rel=1e-9)
    assert edges[2:].tolist() == [0, 0, 0]
    assert np.isinf(bounds.basic_bound(np.zeros(1))[0])
    assert np.isnan(bounds.basic_bound(np.array([np.nan]))[0])


def near_exact_fits(values, unobserved, needed_sign, seed, count=200_000):
    """Random matrices of the needed sign, from far to very near the observations: products and their losses."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-4, 0.5, (count, 1, 1))
    matrices = values + scale * rng.standard_normal((count, *values.shape))
    matrices[:, *unobserved] = rng.standard_normal(count) * 10 ** rng.uniform(-1, 4, count)
    matrices = matrices[np.linalg.slogdet(matrices).sign == needed_sign]
    residual = matrices - values
    residual[:, *unobserved] = 0
    return matrices, 0.5 * (residual**2).sum(axis=(1, 2))


CORNERS = {n: recognised(problem(kind="all_but_corner", dimension=n)) for n in (3, 4, 5)}
PERTURBED = [(1.0, 1.0, 0.0), (-2.0, 0.5, 0.1), (-2.0, 0.5, -0.1), (2.0, 3.0, 0.5), (0.3, -0.7, 1.5)]


def cases():
    yield np.array([[0.0, 1.0], [1.0, 0.0]]), BASIC
    for z, z_prime, epsilon in PERTURBED:
        one = problem(kind="perturbed_2x2", z=z, z_prime=z_prime, epsilon=epsilon)
        yield np.array([[0.0, z], [z_prime, epsilon]]), recognised(one)
    for dimension, one in CORNERS.items():
        values = np.eye(dimension)
        values[:2, :2] = [[0, 1], [1, 0]]
        yield values, one


@pytest.mark.parametrize(("values", "one"), list(cases()))
def test_no_matrix_of_the_needed_sign_violates_a_bound(values, one):
    matrices, loss = near_exact_fits(values, (0, 0), one.needed_sign, len(values))
    assert len(matrices) > 1000
    entry = np.abs(matrices[:, 0, 0])
    assert (entry >= bounds.unobserved_entry_at_least(one.setting, loss) * (1 - 1e-9)).all()
    forced = bounds.certificate(matrices, (0, 0), one.needed_sign)
    assert (entry >= forced * (1 - 1e-9)).all()
    assert (forced > 0).any()
    spectra = np.linalg.svd(matrices, compute_uv=False)
    assert (spectra[:, -1] <= bounds.distance_to_infimal_rank_at_most(one.setting, loss) * (1 + 1e-9)).all()
    at_most = bounds.effective_rank_at_most(one.setting, loss)
    if len(values) > 2:
        assert at_most is None
    else:
        shares = spectra / spectra.sum(axis=1, keepdims=True)
        assert (np.exp(-(shares * np.log(shares)).sum(axis=1)) <= at_most * (1 + 1e-9)).all()


@pytest.mark.parametrize("loss", [1e-6, 1e-4, 1e-2, 0.2, 3 / 8])
def test_the_basic_bound_is_attained(loss):
    """At determinant 0, W00 = W01 W10 / W11; the least over residuals of one size comes within 1e-6 of the bound."""
    distance = np.sqrt(2 * loss)
    sizes = np.linspace(0, 1, 400_001)
    across, beside = distance * np.sqrt(1 - sizes[:-1] ** 2), distance * sizes[:-1] / np.sqrt(2)
    least = ((1 - beside) ** 2 / across).min()
    assert least == pytest.approx(float(bounds.basic_bound(np.array([loss]))[0]), rel=1e-6)


@given(st.floats(1e-12, 1.0), st.floats(0.01, 5), st.floats(0.01, 5), st.floats(0, 3))
def test_the_perturbed_bound_falls_with_the_loss_and_stays_below_the_limit(loss, z, z_prime, epsilon):
    near, far = bounds.perturbed_bound(np.array([loss, 2 * loss]), z, z_prime, epsilon)
    assert 0 <= far <= near
    assert near * epsilon <= z * z_prime * (1 + 1e-12)


def test_a_setting_is_recognised_in_any_order_and_with_any_signs():
    for dimension in (2, 3):
        values = np.eye(dimension)
        values[:2, :2] = [[0, 1], [1, 0]]
        expected = BASIC if dimension == 2 else CORNERS[3]
        for rows, columns in product(permutations(range(dimension)), repeat=2):
            for signs in product((-1, 1), repeat=2 * dimension):
                left, right = np.diag(signs[:dimension])[list(rows)], np.diag(signs[dimension:])[:, list(columns)]
                unobserved = rows.index(0), columns.index(0)
                found = recognised(all_but(left @ values @ right, unobserved))
                assert found.setting == expected.setting
                assert found.unobserved == unobserved
                turn = round(np.linalg.det(left) * np.linalg.det(right))
                assert found.needed_sign == expected.needed_sign * turn


def test_the_perturbed_setting_in_any_position():
    base = recognised(problem(kind="perturbed_2x2", z=-2.0, z_prime=0.5, epsilon=0.1))
    assert (base.needed_sign, base.predicted_limit) == (-1, pytest.approx(-10.0))
    moved = recognised(all_but(np.array([[0.5, 0.1], [0.0, -2.0]]), (1, 0)))
    assert (moved.needed_sign, moved.predicted_limit) == (1, pytest.approx(-10.0))
    assert moved.setting == base.setting
    turned = recognised(all_but(np.array([[0.1, 0.5], [2.0, 0.0]]), (1, 1)))
    assert (turned.needed_sign, turned.predicted_limit) == (1, pytest.approx(10.0))


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (problem(kind="low_rank_completion", shape=[2, 3], rank=1, observed=5), "square"),
        (problem(kind="low_rank_completion", shape=[3, 3], rank=1, observed=5), "exactly one"),
        (problem(kind="low_rank_completion", shape=[3, 3], rank=1, observed=8), "all_but_corner"),
        (problem(kind="low_rank_sensing", shape=[2, 2], rank=1, measurements=3), "exactly one"),
        (problem(kind="perturbed_2x2", z=0.0), "fits exactly"),
        (all_but(np.eye(3), (0, 0)), "all_but_corner"),
        (all_but(np.diag([0.0, 1.0, 1.0]), (0, 0)), "all_but_corner"),
        (all_but(2 * np.eye(3)[[1, 0, 2]], (0, 0)), "all_but_corner"),
    ],
)
def test_theory_says_why_it_says_nothing(one, says):
    found = recognise(one)
    assert isinstance(found, str)
    assert says in found
