"""Observations: what can be said of a problem's arrays before any descent, and kept for the slices to come."""

from functools import lru_cache
from math import prod

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache, cached

from workers.runs.problems import Observations, ObservedEntries, Problem

Array = npt.NDArray[np.float64]

CACHED_BYTES = 256 * 2**20
"""Observations that a process keeps for the slices to come."""

RANK_TOLERANCE = 1e-12
"""Singular values below this fraction of the largest count as zero when a rank of observed numbers is taken."""


@cached(LRUCache(CACHED_BYTES, getsizeof=lambda observed: observed.nbytes))
def observe(problem: Problem) -> Observations:
    """The observations of a problem as arrays, never to be written to."""
    return problem.observe()


def observe_entries(problem: Problem) -> ObservedEntries:
    """The observations of a problem whose observations are entries."""
    observed = observe(problem)
    assert isinstance(observed, ObservedEntries)
    return observed


@lru_cache(maxsize=1024)
def unobserved_index(problem: Problem) -> tuple[int, ...] | None:
    """Index of the unobserved entry where there is exactly one, else None."""
    if not problem.observes_entries or problem.observation_count != prod(problem.shape) - 1:
        return None
    return tuple(int(place) for place in np.argwhere(~observe_entries(problem).mask)[0])


@lru_cache(maxsize=1024)
def infimal_rank(problem: Problem) -> int | None:
    """The least rank that matrices with zero loss come arbitrarily close to, or None where that is not known.

    Known of a matrix of which at most one entry is unobserved. With C the matrix without the row and column of that
    entry, it is rank(C) when that is unchanged by putting the row back and by putting the column back (then one value
    of the entry attains it), else rank(C) + 1 (approached as the entry grows without bound). In the basic 2 x 2
    setting: 1.
    """
    if len(problem.shape) > 2 or not problem.observes_entries:
        return None
    if problem.observation_count == prod(problem.shape):
        return _rank(observe(problem).values)
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
