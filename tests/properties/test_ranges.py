"""Every metric of the catalogue over the range of floats, against exact arithmetic; alone and beside others.

A metric that is added to the catalogue belongs into a table here, or in spectra.py; until then tests fail.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mp, mpf

from tests.helpers import exact
from tests.helpers.exact import as_float, is_rounded, number, root_of_squares
from tests.helpers.specs import run_whole, spec
from tests.properties.spectra import OF_SPECTRA
from workers.lab.metrics.matrix import matrix_metrics
from workers.lab.metrics.tensor import tensor_metrics
from workers.runs.metrics import METRICS, ON_REQUEST, metrics_of
from workers.runs.theory.bounds import perturbed_bound_at

AT_ZERO = np.zeros(1, dtype=np.int64)
ENTRIES = st.floats(-4, 4).filter(lambda value: abs(value) > 1e-3)


class Point:
    """A product of factors in exact arithmetic; `size` bounds every sum of products that makes an entry of it."""

    def __init__(self, factors, target, unobserved):
        self.factors = [exact.matrix(factor) for factor in factors]
        self.target, self.unobserved = exact.matrix(target), unobserved
        self.product = exact.product(self.factors)
        self.values = exact.singular_values(self.product)
        absolute = [[[abs(entry) for entry in row] for row in factor] for factor in self.factors]
        self.size = root_of_squares(exact.entries(exact.product(absolute)))

    def residual(self):
        difference = exact.minus(self.product, self.target)
        row, column = self.unobserved
        difference[row][column] *= 0
        return difference

    def gradients(self):
        for j in range(len(self.factors)):
            gradient = self.residual()
            for before in self.factors[:j]:
                gradient = exact.times(exact.transposed(before), gradient)
            for after in reversed(self.factors[j + 1 :]):
                gradient = exact.times(gradient, exact.transposed(after))
            yield gradient


def of_spectrum(name):
    return lambda point: OF_SPECTRA[name](point.values, 1, mpf(2.0 / len(point.factors)))


def largest_gap(point):
    return max(
        root_of_squares(
            exact.entries(
                exact.minus(
                    exact.times(exact.transposed(left), left),
                    exact.times(right, exact.transposed(right)),
                )
            )
        )
        for left, right in pairwise(point.factors)
    )


def log_determinant(point):
    return mp.log(abs(number(exact.determinant(point.product))))


def trace_of(point):
    """Sum over factors and observed entries (r, c) of |row r before the factor|^2 |column c after it|^2."""
    one, total = exact.matrix(np.eye(2)), mpf(0)
    for j in range(len(point.factors)):
        before = exact.product([one, *point.factors[:j]])
        after = exact.transposed(exact.product([*point.factors[j + 1 :], one]))
        sizes = [[root_of_squares(row) ** 2 for row in part] for part in (before, after)]
        total += sum(sizes[0][r] * sizes[1][c] for r in range(2) for c in range(2) if (r, c) != point.unobserved)
    return total


def first_right(part):
    """The first right singular vector of a 2 x 2 matrix: that of A^T A for its largest eigenvalue."""
    square = [[number(entry) for entry in row] for row in exact.times(exact.transposed(part), part)]
    largest = exact.singular_values(part)[0] ** 2
    rows = [[square[0][1], largest - square[0][0]], [largest - square[1][1], square[1][0]]]
    longest = max(rows, key=lambda row: row[0] ** 2 + row[1] ** 2)
    size = mp.sqrt(longest[0] ** 2 + longest[1] ** 2)
    return [value / size for value in longest]


def alignment_of(gradient, point):
    """Mean and deviation of the sizes on the diagonal of U^T G V and off it, of a 2 x 2 matrix."""
    right, left = first_right(point.product), first_right(exact.transposed(point.product))
    bases = [[vector, [-vector[1], vector[0]]] for vector in (left, right)]
    entries = [[number(entry) for entry in row] for row in gradient]

    def size(i, j):
        return abs(sum(bases[0][i][r] * entries[r][c] * bases[1][j][c] for r in range(2) for c in range(2)))

    pairs = [(size(0, 0), size(1, 1)), (size(0, 1), size(1, 0))]
    return [value for a, b in pairs for value in ((a + b) / 2, abs(a - b) / mp.sqrt(2))]


OF_MATRICES: dict[str, Callable[[Point], Any]] = {
    "loss": lambda point: root_of_squares(exact.entries(point.residual())) ** 2 / 2,
    "unobserved_entry": lambda point: number(point.product[point.unobserved[0]][point.unobserved[1]]),
    **{name: of_spectrum(name) for name in OF_SPECTRA},
    "determinant_sign": lambda point: mp.sign(number(exact.determinant(point.product))),
    "log_abs_determinant": log_determinant,
    "determinant": lambda point: number(exact.determinant(point.product)),
    "balancedness_gap": largest_gap,
    "gradient_norm": lambda point: root_of_squares(
        entry for gradient in point.gradients() for entry in exact.entries(gradient)
    ),
    "reconstruction_error": lambda point: (
        root_of_squares(exact.entries(exact.minus(point.product, point.target)))
        / root_of_squares(exact.entries(point.target))
    ),
    "entries": lambda point: [number(point.product[0][0])],
    "sharpness": lambda point: None,
    "hessian_eigenvalues": lambda point: None,
    "hessian_trace": lambda point: trace_of(point),
    "singular_vector_alignment": lambda point: alignment_of(point.residual(), point),
    "subspace_angle": lambda point: mpf(0),
    "layer_singular_values": lambda point: [
        value for factor in point.factors for value in exact.singular_values(factor)
    ],
    "layer_alignment": lambda point: [
        abs(sum(a * b for a, b in zip(first_right(left), first_right(exact.transposed(right)), strict=True)))
        for left, right in pairwise(point.factors)
    ],
}
"""Eigenvalues of a Hessian over the range of floats are for their own tests. The target here is all of the plane."""

RANK_METRICS = ("distance_to_infimal_rank", "numerical_rank")
"""Metrics that read singular values which are rounding beside the largest."""


@st.composite
def chains(draw):
    """Two to four 2 x 2 factors whose sizes leave the range of floats where they are multiplied, not in the product."""
    depth = draw(st.integers(2, 4))
    powers = [draw(st.integers(-250, 250)) for _ in range(depth - 1)]
    powers.append(draw(st.integers(-140, 140)) - sum(powers))
    assume(abs(powers[-1]) <= 300)
    rows = st.lists(st.lists(ENTRIES, min_size=2, max_size=2), min_size=2, max_size=2)
    return [np.array(draw(rows)) * 10.0**power for power in draw(st.permutations(powers))], np.array(draw(rows))


def matrix_run(depth, target):
    cells = [(0, 0), (0, 1), (1, 0)]
    observations = [{"index": list(cell), "value": float(target[cell])} for cell in cells]
    problem = {"kind": "completion", "shape": [2, 2], "observations": observations, "target": target.tolist()}
    requested = [name for name in ON_REQUEST if name in OF_MATRICES]
    record = {"metrics": requested, "entries": [[0, 0]]}
    return spec(problem=problem, model={"kind": "deep_matrix", "depth": depth}, record=record)


@given(drawn=chains(), power=st.integers(-150, 150))
def test_matrices_of_any_size(drawn, power):
    factors, target = drawn[0], drawn[1] * 10.0**power
    run, point = matrix_run(len(factors), target), Point(factors, target, (1, 1))
    assume(point.values[1] > 1e-6 * point.values[0])
    row = np.concatenate([factor.ravel() for factor in factors])[None]
    measured = matrix_metrics([run], AT_ZERO, row)
    assert set(measured) | {"loss"} == set(metrics_of(run)) == {*OF_MATRICES} - {"conservation_drift"}
    ordinary = np.concatenate([np.eye(2).ravel()] * len(factors))[None]
    beside = matrix_metrics([run, run], np.array([0, 1]), np.concatenate([ordinary, row]))
    condition = as_float(point.size / point.values[1])
    assume(condition < 1e6)
    for name in measured:
        np.testing.assert_array_equal(measured[name][0], beside[name][1], err_msg=name)
        right = OF_MATRICES[name](point)
        if right is None:
            continue
        pairs = zip(
            np.atleast_1d(measured[name][0]).tolist(), right if isinstance(right, list) else [right], strict=True
        )
        relative = 1e-8 if name == "determinant" else 1e-13 * condition**2 if name != "gradient_norm" else 1e-7
        assert all(is_rounded(f, r, relative, absolute_of(name, point)) for f, r in pairs), (
            name,
            measured[name],
            right,
        )


def gap_loss(factor):
    """By how much the gap of two singular values magnifies rounding in their vectors."""
    first, second = exact.singular_values(factor)
    return first / max(first - second, first * mpf(1e-30))


def absolute_of(name, point):
    """Rounding of entries beside those of the product's and the target's size, which cancellation lets through."""
    if name in ("unobserved_entry", "entries", "singular_values", "distance_to_infimal_rank"):
        return 1e-13 * point.size
    if name == "balancedness_gap":
        return 1e-14 * max(root_of_squares(exact.entries(factor)) ** 2 for factor in point.factors)
    if name == "singular_vector_alignment":  # sums of entries that cancel, along vectors that a small gap turns
        return 1e-13 * as_float(point.size / point.values[1]) ** 2 * root_of_squares(exact.entries(point.residual()))
    if name == "layer_alignment":
        return 1e-13 * max(gap_loss(factor) for factor in point.factors)
    if name == "layer_singular_values":
        return 1e-14 * max(exact.singular_values(factor)[0] for factor in point.factors)
    if name == "subspace_angle":
        return 1e-12
    if name == "log_abs_determinant":
        return mpf(1e-9)
    return 1e-12 if name == "reconstruction_error" else 0


def test_every_metric_of_points_is_here():
    assert set(OF_MATRICES) | set(OF_TENSORS) | OF_OTHER_RUNS | OF_FORMS == set(METRICS)


OF_OTHER_RUNS = {"conservation_drift", "objective", "margin", "test_loss", "phase"}
"""Of flows, of weight decay, of labels, of held-out observations and of phases: those have tests of their own."""
OF_FORMS = {"l1_norm", "gain", "local_component_norms", "cut_ranks", "cut_singular_values"}
"""Of contractions and their named forms, which are not scaled near the ends of the floats."""

OF_TENSORS = {"component_norms", "frobenius_norm", "matricisation_ranks", "matricisation_effective_ranks"}


@given(
    vectors=st.lists(st.lists(ENTRIES, min_size=2, max_size=2), min_size=4, max_size=4),
    powers=st.lists(st.integers(-250, 250), min_size=3, max_size=3),
    total=st.integers(-140, 140),
)
def test_components_of_any_size(vectors, powers, total):
    powers = [*powers, total - sum(powers)]
    assume(abs(powers[-1]) <= 300)
    factors = [np.array(vector)[:, None] * 10.0**power for vector, power in zip(vectors, powers, strict=True)]
    observations = [{"index": [0, 0, 0, 0], "value": 1.0}]
    problem = {"kind": "completion", "shape": [2] * 4, "observations": observations}
    requested = ["matricisation_ranks", "matricisation_effective_ranks"]
    run = spec(
        problem=problem,
        model={"kind": "cp_tensor", "rank": 1},
        init={"kind": "gaussian", "std": 0.5},
        record={"metrics": requested},
    )
    measured = tensor_metrics([run], AT_ZERO, np.concatenate([factor.ravel() for factor in factors])[None])
    assert set(metrics_of(run)) - {"loss", "gradient_norm"} == OF_TENSORS
    size = mp.mpf(1)
    for factor in factors:
        size *= root_of_squares(exact.entries(exact.matrix(factor)))
    assert is_rounded(measured["frobenius_norm"][0], size)
    assert is_rounded(measured["component_norms"][0][0], size)
    assert measured["matricisation_ranks"][0].tolist() == [1] * 4
    np.testing.assert_allclose(measured["matricisation_effective_ranks"][0], 1)
    exact_factors = [exact.matrix(factor) for factor in factors]
    heads = [number(factor[0][0]) for factor in exact_factors]
    signal = 2 * (heads[0] * heads[1] * heads[2] * heads[3] - 1)
    others = [mp.fprod(heads[:mode] + heads[mode + 1 :]) for mode in range(4)]
    gradient = mp.sqrt(sum((signal * other) ** 2 for other in others))
    near = abs(signal) / (2 * max(1, abs(signal + 2) / 2))
    assume(near > 1e-3)
    assert is_rounded(measured["gradient_norm"][0], gradient, 1e-9)


@given(
    st.lists(
        st.floats(1, 9).flatmap(lambda m: st.integers(-300, 300).map(lambda e: m * 10.0**e)), min_size=4, max_size=4
    )
)
def test_the_bound_of_theory_in_any_units(numbers):
    z, z_prime, epsilon, distance = numbers
    measured = float(perturbed_bound_at(np.array([distance]), z, z_prime, epsilon)[0])
    if distance >= min(z, z_prime):
        assert measured == 0
        return
    right = mpf(z - distance) * mpf(z_prime - distance) / mpf(epsilon + distance)
    assert is_rounded(measured, right)


@pytest.mark.parametrize("size", [1e-100, 1e-60, 1.0, 1e60, 1e100])
def test_a_run_as_it_is_posted(size):
    factor = [[size, 0.0], [0.0, size]]
    init = {"kind": "explicit", "factors": [factor, factor]}
    run = spec(model={"kind": "deep_matrix", "depth": 2}, init=init, stop={"max_steps": 0})
    columns = run_whole(run).points.columns
    assert columns["frobenius_norm"][0] == pytest.approx(2**0.5 * size**2, rel=1e-15)
    assert columns["spectral_norm"][0] == pytest.approx(size**2, rel=1e-15)
    assert columns["log_abs_determinant"][0] == pytest.approx(4 * np.log(size), rel=1e-14)
