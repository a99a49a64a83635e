"""Least sum of sizes of entries, as a linear program (Chen, Donoho, Saunders 1998).

W = P - N with nonnegative P and N, and the least sum of both. HiGHS solves it by the dual simplex method, whose answers
have entries that are exactly zero.
"""

from functools import lru_cache
from importlib.metadata import version
from math import prod

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import OptimizeResult, linprog

from workers.lab.baselines.certificates import L1, certify
from workers.lab.baselines.constraints import Constraints, constraints_of
from workers.lab.baselines.solutions import Deadline, NotSolved, Solution
from workers.runs.models.least_l1 import LeastL1
from workers.runs.observations import observe
from workers.runs.problems import Problem

Array = npt.NDArray[np.float64]

ACCURACY = 1e-10
"""Largest violation of a constraint, primal or dual, that HiGHS is asked for; it takes nothing smaller."""

TIME_IS_OVER, INFEASIBLE = 1, 2
"""Statuses of `scipy.optimize.linprog`."""


@lru_cache(maxsize=32)
def minimise_l1(problem: Problem, model: LeastL1) -> Solution:
    """The solution for a problem with a matrix; runs with the same problem and model share it.

    Raises:
        NotSolved: no W meets the observations, or the solver's answer did not pass its certificate.
    """
    rows, columns = problem.shape
    constraints = constraints_of(observe(problem), (rows, columns), model.tolerance)
    matrix, multipliers = _solve(constraints, Deadline(model.max_seconds, "highs"))
    certificate = certify(constraints, matrix, multipliers, L1)
    if (complaint := certificate.complaint()) is not None:
        raise NotSolved(f"The solver highs ended without a solution: {complaint}. Raise model.tolerance.")
    return Solution([constraints.scale * matrix], f"highs of scipy {version('scipy')}", certificate.proofs)


def _solve(constraints: Constraints, deadline: Deadline) -> tuple[Array, Array]:
    """A matrix and its multipliers (observations,), both in the constraints' scale."""
    split = sp.csr_array(sp.hstack([constraints.operator, -constraints.operator]))
    is_exact = not constraints.tolerances.any()
    answer = _run(split, constraints, is_exact, deadline)
    if answer.status == INFEASIBLE:
        raise NotSolved("No matrix meets every observation within the tolerance; raise model.tolerance.")
    if answer.status == TIME_IS_OVER:
        raise deadline.passed()
    if answer.x is None:
        raise NotSolved(f"The solver highs failed: {answer.message} Raise model.tolerance.")
    positive, negative = np.split(answer.x, 2)
    matrix = (positive - negative).reshape(constraints.shape)
    if is_exact:
        return matrix, answer.eqlin.marginals
    above, below = np.split(answer.ineqlin.marginals, 2)
    return matrix, above - below


def _run(split: sp.csr_array, constraints: Constraints, is_exact: bool, deadline: Deadline) -> OptimizeResult:
    values, tolerances = constraints.values, constraints.tolerances
    if is_exact:
        conditions = {"A_eq": split, "b_eq": values}
    else:
        bounds = np.concatenate([values + tolerances, tolerances - values])
        conditions = {"A_ub": sp.csr_array(sp.vstack([split, -split])), "b_ub": bounds}
    options = {
        "time_limit": max(deadline.seconds_left, 0.0),
        "primal_feasibility_tolerance": ACCURACY,
        "dual_feasibility_tolerance": ACCURACY,
    }
    return linprog(np.ones(2 * prod(constraints.shape)), **conditions, method="highs-ds", options=options)
