"""Observations: a problem's spec as arrays, and what can be said of it before any descent."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache, cached

from workers.runs import problems
from workers.runs.problems import Problem

Array = npt.NDArray[np.float64]

TARGET_STREAM, PERMUTATION_STREAM, MEASUREMENT_STREAM, NOISE_STREAM = range(4)
"""Independent random streams of one problem seed, so that observing more never changes the target."""

CACHED_BYTES = 256 * 2**20
"""Observations that a process keeps for the slices to come."""

RANK_TOLERANCE = 1e-12
"""Singular values below this fraction of the largest count as zero when a rank of observed numbers is taken."""


@dataclass(frozen=True)
class ObservedEntries:
    """Entries of a matrix or tensor: W[mask] = values[mask].

    Attributes:
        values: of the problem's shape, zero where unobserved.
        mask: of that shape, true where observed.
        target: the whole matrix or tensor where it is known, without noise.
    """

    values: Array
    mask: npt.NDArray[np.bool_]
    target: Array | None

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return 3 * self.values.nbytes


@dataclass(frozen=True)
class LinearMeasurements:
    """Linear measurements: tensors @ vec(W) = values, vec in row-major order.

    Attributes:
        tensors: (measurements, entries of the product).
        values: (measurements,).
        target: of the problem's shape, where it is known, without noise.
    """

    tensors: Array
    values: Array
    target: Array | None

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return self.tensors.nbytes + self.values.nbytes


Observations = ObservedEntries | LinearMeasurements


@cached(LRUCache(CACHED_BYTES, getsizeof=lambda observed: observed.nbytes))
def observe(problem: Problem) -> Observations:
    """The observations of a problem as arrays; the same spec gives the same arrays."""
    match problem:
        case problems.Perturbed2x2(z=z, z_prime=z_prime, epsilon=epsilon):
            return _all_but_corner(np.array([[0.0, z], [z_prime, epsilon]]))
        case problems.AllButCorner(dimension=dimension):
            return _all_but_corner(_corner_values(dimension))
        case problems.Completion():
            return _completion(problem)
        case problems.Sensing():
            return _sensing(problem)
        case problems.LowRankCompletion():
            target = low_rank_target(problem)
            order = _stream(problem.seed, PERMUTATION_STREAM).permutation(target.size)
            mask = np.zeros(target.size, dtype=bool)
            mask[order[: problem.observed]] = True
            mask = mask.reshape(target.shape)
            noisy = target + _noise(problem, target.size).reshape(target.shape)
            return ObservedEntries(np.where(mask, noisy, 0.0), mask, target)
        case problems.LowRankSensing():
            target = low_rank_target(problem)
            draw = _stream(problem.seed, MEASUREMENT_STREAM).standard_normal
            tensors = draw((problem.measurements, target.size))
            return LinearMeasurements(tensors, tensors @ target.ravel() + _noise(problem, len(tensors)), target)


def low_rank_target(problem: problems.LowRankCompletion | problems.LowRankSensing) -> Array:
    """A product of Gaussian matrices (rows x rank, rank x columns), scaled to the asked Frobenius norm.

    A symmetric one is G G^T with a Gaussian G (rows x rank). Of higher orders, the sum of `rank` outer products of
    Gaussian vectors.
    """
    stream = _stream(problem.seed, TARGET_STREAM)
    if len(problem.shape) == 2:
        rows, columns = problem.shape
        left = stream.standard_normal((rows, problem.rank))
        target = left @ (left.T if problem.symmetric else stream.standard_normal((problem.rank, columns)))
    else:
        target = _sum_of_outer_products([stream.standard_normal((size, problem.rank)) for size in problem.shape])
    return target * (problem.norm / np.linalg.norm(target))


def _sum_of_outer_products(factors: Sequence[Array]) -> Array:
    """sum over r of f1_r x ... x fN_r, factors (dimension, rank) to an array of all dimensions."""
    rows = factors[0]
    for factor in factors[1:-1]:
        rows = (rows[:, None] * factor).reshape(-1, rows.shape[1])
    return (rows @ factors[-1].T).reshape([len(factor) for factor in factors])


def _noise(problem: problems.LowRankCompletion | problems.LowRankSensing, count: int) -> Array:
    """Noise of `count` observed values in order, the first ones the same however many are observed."""
    if not problem.noise:
        return np.zeros(count)
    return problem.noise * _stream(problem.seed, NOISE_STREAM).standard_normal(count)


def is_target_known(problem: Problem) -> bool:
    """Whether the whole matrix is known, so that a reconstruction error exists."""
    match problem:
        case problems.LowRankCompletion() | problems.LowRankSensing():
            return True
        case problems.Completion(target=target):
            return target is not None
        case _:
            return False


@lru_cache(maxsize=1024)
def unobserved_index(problem: Problem) -> tuple[int, ...] | None:
    """Index of the unobserved entry where there is exactly one, else None."""
    if not problems.observes_entries(problem):
        return None
    if problems.observation_count(problem) != prod(problem.shape) - 1:
        return None
    observed = observe(problem)
    assert isinstance(observed, ObservedEntries)
    return tuple(int(place) for place in np.argwhere(~observed.mask)[0])


@lru_cache(maxsize=1024)
def infimal_rank(problem: Problem) -> int | None:
    """The least rank that matrices with zero loss come arbitrarily close to, or None where that is not known.

    Known of a matrix of which at most one entry is unobserved. With C the matrix without the row and column of that
    entry, it is rank(C) when that is unchanged by putting the row back and by putting the column back (then one value
    of the entry attains it), else rank(C) + 1 (approached as the entry grows without bound). In the basic 2 x 2
    setting: 1.
    """
    if len(problem.shape) > 2 or not problems.observes_entries(problem):
        return None
    if problems.observation_count(problem) == prod(problem.shape):
        observed = observe(problem)
        return _rank(observed.values)
    index = unobserved_index(problem)
    return None if index is None else _infimal_rank_around(observe(problem).values, index[0], index[1])


def _infimal_rank_around(values: Array, row: int, column: int) -> int:
    without_row, without_column = np.delete(values, row, axis=0), np.delete(values, column, axis=1)
    core = _rank(np.delete(without_row, column, axis=1))
    attained = core == _rank(without_row) == _rank(without_column)
    return core if attained else core + 1


def _rank(matrix: Array) -> int:
    if matrix.size == 0:
        return 0
    singular_values = np.linalg.svd(matrix, compute_uv=False)
    return int(np.count_nonzero(singular_values > RANK_TOLERANCE * singular_values[0]))


def _stream(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream])


def _all_but_corner(values: Array) -> ObservedEntries:
    mask = np.ones(values.shape, dtype=bool)
    mask[0, 0] = False
    return ObservedEntries(values, mask, None)


def _corner_values(dimension: int) -> Array:
    values = np.eye(dimension)
    values[:2, :2] = [[0.0, 1.0], [1.0, 0.0]]
    return values


def _completion(problem: problems.Completion) -> ObservedEntries:
    values, mask = np.zeros(problem.shape), np.zeros(problem.shape, dtype=bool)
    for observation in problem.observations:
        values[observation.index] = observation.value
        mask[observation.index] = True
    target = None if problem.target is None else np.array(problem.target)
    return ObservedEntries(values, mask, target)


def _sensing(problem: problems.Sensing) -> LinearMeasurements:
    tensors = np.array([measurement.tensor for measurement in problem.measurements])
    values = np.array([measurement.value for measurement in problem.measurements])
    return LinearMeasurements(tensors.reshape(len(values), -1), values, None)
