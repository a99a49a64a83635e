"""Soft-thresholding of singular values for completion (Mazumder, Hastie, Tibshirani 2010).

The steps are those of proximal gradient descent, extrapolated and begun afresh where the extrapolation points uphill
(Toh and Yun 2010; O'Donoghue and Candes 2015).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from workers.lab.baselines.solutions import (
    GAP_TOLERANCE,
    STATIONARITY_TOLERANCE,
    Deadline,
    NotSolved,
    Solution,
)
from workers.runs.models.soft_impute import LEAST_PENALTY, SoftImpute
from workers.runs.observations import observe_entries
from workers.runs.problems import ObservedEntries, Problem

Array = npt.NDArray[np.float64]

MOST_STEPS = 20_000
"""Most steps of a penalty."""

SETTLED, SETTLED_LAST = 1e-7, 1e-9
"""Relative length of a step below which a penalty is solved, and the last one."""

SOLVER = f"soft-impute, numpy {np.__version__}"


@lru_cache(maxsize=8)
def impute(problem: Problem, model: SoftImpute) -> Solution:
    """The solutions along the path of penalties; runs with the same problem and model share them.

    Raises:
        NotSolved: the last one did not pass its certificate, or the time was over.
    """
    observed, deadline = observe_entries(problem), Deadline(model.max_seconds, "soft-impute")
    largest = float(np.linalg.norm(observed.values, 2))
    last = model.penalty or LEAST_PENALTY * largest or LEAST_PENALTY
    path = [np.zeros(observed.values.shape)]
    for penalty in np.geomspace(max(largest, last), last, model.penalties + 1)[1:]:
        path.append(_settle(observed, path[-1], float(penalty), SETTLED, deadline))
    path[-1] = _settle(observed, path[-1], last, SETTLED_LAST, deadline)
    gap, residual = duality_gap(observed, path[-1], last), stationarity(observed, path[-1], last)
    if not (gap <= GAP_TOLERANCE and residual <= STATIONARITY_TOLERANCE):
        raise NotSolved(
            f"Soft-impute ended with a relative duality gap of {gap:.1e} and a step of relative length {residual:.1e}; "
            "take a larger model.penalty."
        )
    return Solution(path, SOLVER, {"duality_gap": gap, "stationarity": residual})


def _settle(observed: ObservedEntries, start: Array, penalty: float, settled: float, deadline: Deadline) -> Array:
    """The solution of a penalty, from a start, once a step is shorter than `settled` times the matrix."""
    matrix, point, momentum = start, start, 1.0
    for _ in range(MOST_STEPS):
        deadline.check()
        moved = shrunk(filled(observed, point), penalty)
        if np.linalg.norm(moved - point) <= settled * np.linalg.norm(moved):
            return moved
        if np.sum((point - moved) * (moved - matrix)) > 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        point = moved + (momentum - 1) / following * (moved - matrix)
        matrix, momentum = moved, following
    return matrix


def filled(observed: ObservedEntries, matrix: Array) -> Array:
    """The observed entries, and those of a matrix where nothing is observed."""
    return np.where(observed.mask, observed.values, matrix)


def shrunk(matrix: Array, penalty: float) -> Array:
    """The matrix with singular values that are smaller by the penalty, and zero below it."""
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    return (left * np.maximum(sizes - penalty, 0.0)) @ right


def stationarity(observed: ObservedEntries, matrix: Array, penalty: float) -> float:
    """The length of one more step, over the norm of the matrix; 0 where the conditions of a minimum hold."""
    moved = shrunk(filled(observed, matrix), penalty)
    return float(np.linalg.norm(moved - matrix)) / (float(np.linalg.norm(matrix)) or 1.0)


def duality_gap(observed: ObservedEntries, matrix: Array, penalty: float) -> float:
    """The objective less a proven lower bound, over the objective; 0 where that is 0.

    Any V on the observed entries whose spectral norm is at most the penalty proves that no objective is below
    <Y, V> - 1/2 |V|^2. The residuals, shortened to that norm, are such a V.
    """
    residual = np.where(observed.mask, observed.values - matrix, 0.0)
    objective = 0.5 * float(np.sum(residual**2)) + penalty * float(np.linalg.norm(matrix, "nuc"))
    dual = residual * min(1.0, penalty / (float(np.linalg.norm(residual, 2)) or penalty))
    bound = float(np.sum(observed.values * dual) - 0.5 * np.sum(dual**2))
    return (objective - bound) / objective if objective > 0 else 0.0
