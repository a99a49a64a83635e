"""Least potential Q_alpha subject to observations, by Newton's method on the dual.

W = alpha^L h(A^T v), entry by entry, for multipliers v of the observations (`workers.lab.baselines.potentials`). Where
no W meets the observations y, their projection on the range of A takes their place: the W of least squared error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.linalg

from workers.lab.baselines.potentials import Potential, potential_of, value
from workers.lab.baselines.solutions import (
    GAP_TOLERANCE,
    STATIONARITY_TOLERANCE,
    VIOLATION_TOLERANCE,
    Deadline,
    NotSolved,
    Solution,
)
from workers.runs.models.least_q import LeastQ
from workers.runs.observations import RANK_TOLERANCE, observe
from workers.runs.problems import ObservedEntries, Problem

Array = npt.NDArray[np.float64]

MOST_STEPS = 500
"""Most steps of Newton's method. From 10 to 60 serve, more for smaller starts."""

MOST_POLISHING_STEPS = 5

SUFFICIENT = 1e-4
"""Least decrease that a step must bring, as a share of the one that its slope promises (Armijo)."""

SHORTEST_STEP = 2.0**-40

SOLVER = f"newton, numpy {np.__version__}"


@dataclass(frozen=True)
class Measured:
    """Measurements of full row rank that have the solutions of the given ones, W (columns, measured rows).

    Attributes:
        basis: (columns, rank), orthonormal columns that span the rows of the tensors.
        coordinates: (rank, measured rows), those of the solutions: basis^T W.
        multipliers: (samples, rank), which turns coordinates of the dual into multipliers of the samples.
    """

    basis: Array
    coordinates: Array
    multipliers: Array


@dataclass(frozen=True)
class Certificate:
    """What is computed of W apart from Newton's method, from multipliers of the observations as they were given.

    Attributes:
        gap: Q less the dual value of the multipliers, over Q; 0 for W = 0.
        violation: the largest difference to an observation, or to its projection, in its units.
        relative_violation: over the largest observed value.
        stationarity: the largest difference between h^-1(W / alpha^L) and A^T v, over the largest size of the former.
    """

    gap: float
    violation: float
    relative_violation: float
    stationarity: float

    def complaint(self) -> str | None:
        """Why W is not accepted, as a clause; None when it is."""
        if not self.relative_violation <= VIOLATION_TOLERANCE:
            return f"an observation is missed by {self.violation:.1e}"
        if not self.gap <= GAP_TOLERANCE:
            return f"its relative duality gap is {self.gap:.1e}, above the {GAP_TOLERANCE:.0e} that is asked for"
        if not self.stationarity <= STATIONARITY_TOLERANCE:
            return f"its conditions of a minimum are missed by {self.stationarity:.1e}"
        return None


@lru_cache(maxsize=32)
def minimise_q(problem: Problem, model: LeastQ) -> Solution:
    """The solution for a problem with a matrix; runs with the same problem and model share it.

    Raises:
        NotSolved: the answer did not pass its certificate, or the time was over.
    """
    observed, deadline = observe(problem), Deadline(model.max_seconds, "newton")
    if isinstance(observed, ObservedEntries):  # each entry is a problem of its own
        proofs = {"duality_gap": 0.0, "constraint_violation": 0.0, "stationarity": 0.0}
        return Solution([np.where(observed.mask, observed.values, 0.0)], "none", proofs)
    potential, unit = potential_of(model), model.alpha**model.depth
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        measured = _measured(observed.tensors, observed.outputs / unit)
        dual = np.stack([_newton(potential, measured.basis, b, deadline) for b in measured.coordinates.T], axis=1)
        weights = potential.weight(measured.basis @ dual)
        multipliers = measured.multipliers @ dual
        certificate = certify(potential, observed.tensors, observed.outputs / unit, weights, multipliers, unit)
    if (complaint := certificate.complaint()) is not None:
        raise NotSolved(f"Newton's method ended without a solution: {complaint}. Take a larger model.alpha.")
    proofs = {
        "duality_gap": certificate.gap,
        "constraint_violation": certificate.violation,
        "stationarity": certificate.stationarity,
    }
    return Solution([unit * weights.T.reshape(problem.shape)], SOLVER, proofs)


def _measured(tensors: Array, outputs: Array) -> Measured:
    left, sizes, right = np.linalg.svd(tensors, full_matrices=False)
    rank = int(np.count_nonzero(sizes > RANK_TOLERANCE * sizes[0]))
    multipliers = left[:, :rank] / sizes[:rank]
    return Measured(right[:rank].T, multipliers.T @ outputs, multipliers)


def certify(
    potential: Potential, tensors: Array, outputs: Array, weights: Array, multipliers: Array, unit: float
) -> Certificate:
    """The certificate of a solution in units of alpha^L.

    Args:
        tensors: A, (samples, columns).
        outputs, multipliers: (samples, measured rows).
        weights: (columns, measured rows).
        unit: alpha^L.
    """
    met = tensors @ np.linalg.lstsq(tensors, outputs, rcond=RANK_TOLERANCE)[0]
    missed, gradient, dual = tensors @ weights - met, potential.inverse(weights), tensors.T @ multipliers
    least = float(value(potential, weights).sum())
    bound = float(np.sum(met * multipliers) - potential.conjugate(dual).sum())
    return Certificate(
        gap=(least - bound) / least if least > 0 else 0.0,
        violation=unit * float(np.abs(missed).max()),
        relative_violation=float(np.abs(missed).max()) / (float(np.abs(outputs).max()) or 1.0),
        stationarity=float(np.abs(gradient - dual).max()) / (float(np.abs(gradient).max()) or 1.0),
    )


def _newton(potential: Potential, basis: Array, coordinates: Array, deadline: Deadline) -> Array:
    """The v (rank,) of least sum of conjugates at basis v, less coordinates . v; both arrays as of `Measured`."""
    dual = np.zeros(basis.shape[1])

    def objective(at: Array) -> float:
        t = basis @ at
        return float(potential.conjugate(t).sum() - coordinates @ at) if np.abs(t).max() < potential.reach else np.inf

    for _ in range(MOST_STEPS):
        deadline.check()
        t = basis @ dual
        gradient = basis.T @ potential.weight(t) - coordinates
        direction = _direction_of_sums(basis, potential.slope(t), gradient)
        moved = dual + _length(objective, dual, direction, gradient, np.abs(basis @ direction).max()) * direction
        if (moved == dual).all():
            break
        dual = moved
    return _polished(potential, basis, coordinates, dual)


def _polished(potential: Potential, basis: Array, coordinates: Array, dual: Array) -> Array:
    """After whole steps of Newton's method for as long as they bring the weights nearer to what is measured.

    Near the end the objective changes by less than its rounding, and the measurements do not.
    """
    best, missed = dual, np.inf
    for _ in range(MOST_POLISHING_STEPS):
        t = basis @ dual
        gradient = basis.T @ potential.weight(t) - coordinates
        if not (np.abs(t).max() < potential.reach and np.linalg.norm(gradient) < missed):
            break
        best, missed = dual, np.linalg.norm(gradient)
        dual = dual + _direction(basis, potential.slope(t), gradient)
    return best


def _direction_of_sums(basis: Array, slopes: Array, gradient: Array) -> Array:
    """-H^-1 gradient for H = basis^T diag(slopes) basis; an accurate one where H is singular to rounding."""
    try:
        factor = scipy.linalg.cho_factor((basis * slopes[:, None]).T @ basis, lower=True)
    except (np.linalg.LinAlgError, ValueError):
        return _direction(basis, slopes, gradient)
    return -scipy.linalg.cho_solve(factor, gradient)


def _direction(basis: Array, slopes: Array, gradient: Array) -> Array:
    """The same by a QR decomposition of the root of H: dearer, and accurate where the slopes lie far apart."""
    upper: Array = np.linalg.qr(np.sqrt(slopes)[:, None] * basis).R
    half = scipy.linalg.solve_triangular(upper.T, gradient, lower=True)
    return -scipy.linalg.solve_triangular(upper, half)


def _length(
    objective: Callable[[Array], float], dual: Array, direction: Array, gradient: Array, furthest: float
) -> float:
    """The length of a step: at most what bounds the third derivative (Bach 2010), halved until the objective falls."""
    length = float(np.log1p(furthest) / furthest) if furthest > 0 else 0.0
    now, slope = objective(dual), float(gradient @ direction)
    while length > SHORTEST_STEP:
        if objective(dual + length * direction) <= now + SUFFICIENT * length * slope:
            return length
        length /= 2
    return 0.0
