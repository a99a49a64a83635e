"""Nuclear norm minimisation: the convex baseline beside matrix factorisation (Fazel, Hindi, Boyd 2001; Recht 2011).

cvxpy takes a second to load and is needed here alone, so it is loaded by the first solve of a process.
"""

import time
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.baselines.certificates import Certificate, certify
from workers.lab.baselines.constraints import Constraints, constraints_of
from workers.runs.models.nuclear_norm import NuclearNorm
from workers.runs.observations import observe
from workers.runs.problems import Problem

Array = npt.NDArray[np.float64]

CLARABEL_UP_TO = 40
"""Rows plus columns up to which `auto` takes Clarabel. Its steps cost the sixth power of that: a 20 x 20 matrix with
200 observations took it 0.6 s and SCS 0.9 s, a 30 x 30 one with 400 took 8.1 s and 2.5 s."""

ACCURACIES = (1e-5, 1e-7)
"""What SCS is asked for, the second where an answer to the first does not pass its certificate. With the first, duality
gaps came out at 3e-6 for 100 x 100 with 2000 observations, in 6 s, and at 3e-5 with 5000, in 20 s."""

MOST_ITERATIONS = 10**6
"""Of SCS; its time limit ends it sooner."""

LEAST_SECONDS = 1e-3
"""Of a time limit: SCS takes zero for none."""

NO_SOLVER = "none"
"""Named where the zero matrix meets every observation, and there was nothing to solve."""


class NotSolved(Exception):
    """Why there is no solution that was proven to be one, as a sentence."""


@dataclass(frozen=True)
class Solution:
    """A matrix of least nuclear norm.

    Attributes:
        matrix: of the problem's shape.
        solver: which one found it, with its version.
        duality_gap: relative, see `workers.lab.baselines.certificates`.
        constraint_violation: in the units of the observations.
    """

    matrix: Array
    solver: str
    duality_gap: float
    constraint_violation: float


@lru_cache(maxsize=32)
def minimise_nuclear_norm(problem: Problem, model: NuclearNorm) -> Solution:
    """The solution for a problem with a matrix; runs that differ in nothing else share it.

    Raises:
        NotSolved: no matrix meets the observations, or the solver's answer did not pass its certificate.
    """
    rows, columns = problem.shape
    constraints = constraints_of(observe(problem), (rows, columns), model.tolerance)
    if (np.abs(constraints.values) <= constraints.tolerances).all():
        return Solution(np.zeros((rows, columns)), NO_SOLVER, 0.0, 0.0)
    name = _solver(model, rows + columns)
    matrix, certificate = _proven(constraints, name, model.max_seconds)
    solver = f"{name} {version(name)}"
    return Solution(constraints.scale * matrix, solver, certificate.gap, certificate.violation)


def _proven(constraints: Constraints, name: str, seconds: float) -> tuple[Array, Certificate]:
    """The first answer of a solver that passes its certificate, with the certificate."""
    deadline, complaint = time.monotonic() + seconds, None
    for accuracy in ACCURACIES if name == "scs" else ACCURACIES[:1]:
        left = max(deadline - time.monotonic(), LEAST_SECONDS)
        found, multipliers = _solve(constraints, name, accuracy, left)
        matrix = constraints.nearest(found)
        certificate = certify(constraints, matrix, multipliers)
        complaint = certificate.complaint()
        if complaint is None:
            return matrix, certificate
        if time.monotonic() > deadline:
            break
    raise NotSolved(
        f"The solver {name} ended without a solution: {complaint}. "
        f"Give it longer than the {seconds:g} s of model.max_seconds, or take another model.solver."
    )


def _solver(model: NuclearNorm, size: int) -> str:
    if model.solver != "auto":
        return model.solver
    return "clarabel" if size <= CLARABEL_UP_TO else "scs"


def _solve(constraints: Constraints, name: str, accuracy: float, seconds: float) -> tuple[Array, Array]:
    """A solver's matrix and its multipliers (observations,)."""
    import cvxpy as cp

    matrix = cp.Variable(constraints.shape)
    observed = cp.Constant(constraints.operator) @ cp.vec(matrix, order="C")
    if constraints.tolerances.any():
        above = observed >= constraints.values - constraints.tolerances
        below = observed <= constraints.values + constraints.tolerances
        program = cp.Problem(cp.Minimize(cp.normNuc(matrix)), [above, below])
    else:
        above = below = observed == constraints.values
        program = cp.Problem(cp.Minimize(cp.normNuc(matrix)), [above])
    _run(cp, program, name, accuracy, seconds)
    if program.status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
        raise NotSolved("No matrix meets every observation within the tolerance; raise model.tolerance.")
    if matrix.value is None or above.dual_value is None:
        raise NotSolved(
            f"The solver {name} gave up ({program.status}) after {seconds:g} s; "
            "raise model.max_seconds, or take another model.solver."
        )
    upper, lower = np.asarray(below.dual_value), np.asarray(above.dual_value)
    return matrix.value, -upper if above is below else lower - upper


def _run(cp: Any, program: Any, name: str, accuracy: float, seconds: float) -> None:
    options: dict[str, Any] = {"time_limit": seconds, "max_threads": 1}
    if name == "scs":
        options = {
            "time_limit_secs": seconds,
            "max_iters": MOST_ITERATIONS,
            "eps_abs": accuracy,
            "eps_rel": accuracy,
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of inaccurate solutions: the certificate judges them
            program.solve(solver=name.upper(), **options)
    except cp.SolverError as error:
        raise NotSolved(f"The solver {name} failed: {error}; take another model.solver.") from error
