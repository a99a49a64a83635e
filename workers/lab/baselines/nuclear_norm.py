"""Nuclear norm minimisation, a convex baseline for matrix factorisation (Fazel, Hindi, Boyd 2001; Recht 2011).

cvxpy takes a second to load and only this module needs it, so the first solve of a process loads it.
"""

import time
import warnings
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.baselines.certificates import Certificate, certify
from workers.lab.baselines.constraints import Constraints, constraints_of
from workers.lab.baselines.solutions import NotSolved, Solution
from workers.runs.models.nuclear_norm import NuclearNorm
from workers.runs.observations import observe
from workers.runs.problems import Problem

Array = npt.NDArray[np.float64]

ACCURACIES = (1e-5, 1e-7)
"""Accuracies requested of SCS, the second where an answer to the first does not pass its certificate. The first gave
duality gaps of 3e-6 for 100 x 100 with 2000 observations, in 6 s, and of 3e-5 with 5000 observations, in 20 s."""

MOST_ITERATIONS = 10**6
"""Most iterations of SCS; its time limit ends it sooner."""

LEAST_SECONDS = 1e-3
"""Least time limit of a solver, since SCS reads zero as no limit."""

NO_SOLVER = "none"
"""Solver's name where the zero matrix meets every observation, so that no solver was called."""


@lru_cache(maxsize=32)
def minimise_nuclear_norm(problem: Problem, model: NuclearNorm) -> Solution:
    """The solution for a problem with a matrix; runs with the same problem and model share it.

    Raises:
        NotSolved: no matrix meets the observations, or the solver's answer did not pass its certificate.
    """
    rows, columns = problem.shape
    observed = observe(problem)
    tolerance = model.tolerance_for(float(np.abs(observed.values).max()))
    constraints = constraints_of(observed, (rows, columns), tolerance)
    if (np.abs(constraints.values) <= constraints.tolerances).all():
        return Solution([np.zeros((rows, columns))], NO_SOLVER, {"duality_gap": 0.0, "constraint_violation": 0.0})
    name = model.solver_for(problem.shape)
    matrix, certificate = _proven(constraints, name, model.max_seconds)
    solver = f"{name} {version(name)}"
    return Solution([constraints.scale * matrix], solver, certificate.proofs)


def _proven(constraints: Constraints, name: str, seconds: float) -> tuple[Array, Certificate]:
    """The first answer of a solver that passes its certificate, with the certificate."""
    deadline, complaint = time.monotonic() + seconds, None
    for accuracy in ACCURACIES if name == "scs" else ACCURACIES[:1]:
        seconds_left = max(deadline - time.monotonic(), LEAST_SECONDS)
        answer, multipliers = _solve(constraints, name, accuracy, seconds_left)
        matrix = constraints.nearest(answer)
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


def _solve(constraints: Constraints, name: str, accuracy: float, seconds: float) -> tuple[Array, Array]:
    """A solver's matrix and its multipliers (observations,); raises NotSolved where it returns none."""
    import cvxpy as cp

    matrix = cp.Variable(constraints.shape)
    above, below = _observation_constraints(cp, matrix, constraints)
    program = cp.Problem(cp.Minimize(cp.normNuc(matrix)), [above] if above is below else [above, below])
    _run(cp, program, name, accuracy, seconds)
    if program.status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
        raise NotSolved("No matrix meets every observation within the tolerance; raise model.tolerance.")
    if matrix.value is None or above.dual_value is None:
        raise NotSolved(
            f"The solver {name} gave up ({program.status}) after {seconds:g} s; "
            "raise model.max_seconds, or take another model.solver."
        )
    upper, lower = np.asarray(below.dual_value), np.asarray(above.dual_value)
    # cvxpy's dual variables of inequalities are nonnegative; that of an equality has the opposite sign of v.
    return matrix.value, -upper if above is below else lower - upper


def _observation_constraints(cp: Any, matrix: Any, constraints: Constraints) -> tuple[Any, Any]:
    """The observations bounded from below and from above; the same equality twice where there is no tolerance."""
    observed = cp.Constant(constraints.operator) @ cp.vec(matrix, order="C")
    if not constraints.tolerances.any():
        equal = observed == constraints.values
        return equal, equal
    above = observed >= constraints.values - constraints.tolerances
    below = observed <= constraints.values + constraints.tolerances
    return above, below


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
            warnings.simplefilter("ignore")  # warnings of inaccurate solutions; the certificate judges those
            program.solve(solver=name.upper(), **options)
    except cp.SolverError as error:
        raise NotSolved(f"The solver {name} failed: {error}; take another model.solver.") from error
