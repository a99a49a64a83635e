"""Observations of a problem as arrays, and their ranks; computed before any descent and kept for later slices."""

from collections.abc import Callable
from functools import wraps
from math import prod
from threading import Lock
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache, cached

from workers.runs.problems import Observations, ObservedEntries, Problem
from workers.runs.problems.base import ProblemBase

Array = npt.NDArray[np.float64]

CACHED_BYTES = 256 * 2**20
"""Memory of the observations that a process keeps for later slices."""

RANK_TOLERANCE = 1e-12
"""Singular values below this fraction of the largest count as zero in the rank of observed entries."""


Answer = TypeVar("Answer")


def per_problem(function: Callable[[Problem], Answer]) -> Callable[[Problem], Answer]:
    """A function whose answers are kept as long as the problems themselves, which may be large, and no longer."""
    kept: WeakKeyDictionary[Problem, Answer] = WeakKeyDictionary()
    guard = Lock()

    @wraps(function)
    def answer(problem: Problem) -> Answer:
        with guard:
            if problem in kept:
                return kept[problem]
        answered = function(problem)
        with guard:
            return kept.setdefault(problem, answered)

    return answer


@cached(LRUCache(CACHED_BYTES, getsizeof=lambda observed: observed.nbytes))
def observe(problem: Problem) -> Observations:
    """The observations of a problem as arrays, never to be written to."""
    return problem.observe()


def observe_entries(problem: Problem) -> ObservedEntries:
    """The observations of a problem whose observations are entries."""
    observed = observe(problem)
    assert isinstance(observed, ObservedEntries)
    return observed


@per_problem
def first_without_label(problem: Problem) -> int | None:
    """Position of the first observed value that is no label, 1 or -1; None where all are labels."""
    others = np.flatnonzero(np.abs(problem.observed_values) != 1)
    return int(others[0]) if len(others) else None


@per_problem
def held_out(problem: Problem) -> ProblemBase | None:
    """The held-out observations of a problem, as a problem; None without any."""
    return problem.hold_out()


@per_problem
def unobserved_index(problem: Problem) -> tuple[int, ...] | None:
    """Index of the only unobserved entry; None where none or several are unobserved."""
    if not problem.observes_entries or problem.observation_count != prod(problem.shape) - 1:
        return None
    return tuple(np.argwhere(~observe_entries(problem).mask)[0].tolist())


@per_problem
def infimal_rank(problem: Problem) -> int | None:
    """The least rank to which matrices with zero loss come arbitrarily close, or None where no formula gives it.

    A formula exists for matrices with at most one unobserved entry. Let C be the matrix without the row and column of
    that entry. The infimal rank is rank(C) when neither putting back the row nor putting back the column raises the
    rank (some value of the entry then attains it). Otherwise it is rank(C) + 1, approached as the entry grows without
    bound. In the basic 2 x 2 setting: 1.
    """
    if len(problem.shape) > 2 or not problem.observes_entries:
        return None
    if problem.observation_count == prod(problem.shape):
        return rank_of(observe(problem).values)
    index = unobserved_index(problem)
    return None if index is None else _infimal_rank_around(observe(problem).values, index[0], index[1])


def _infimal_rank_around(values: Array, row: int, column: int) -> int:
    without_row, without_column = np.delete(values, row, axis=0), np.delete(values, column, axis=1)
    core = rank_of(np.delete(without_row, column, axis=1))
    attained = core == rank_of(without_row) == rank_of(without_column)
    return core if attained else core + 1


def rank_of(matrix: Array) -> int:
    """How many singular values of a matrix exceed RANK_TOLERANCE times the largest."""
    if matrix.size == 0:
        return 0
    singular_values = np.linalg.svd(matrix, compute_uv=False)
    return int(np.count_nonzero(singular_values > RANK_TOLERANCE * singular_values[0]))
