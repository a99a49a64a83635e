"""Rounding: the points at which the sign of a determinant is certain, and the error of a recorded loss.

Both follow from a bound on the norms of the factors; a trajectory records only the product's spectral norm s and the
balancedness gap g. Let M^2 be the largest squared spectral norm of a factor. Replacing F_j F_j^T by F_(j-1)^T F_(j-1)
in W W^T, factor after factor, gives s^2 >= M^(2L) - 3/2 L (L - 1) g M^(2L-2), so M^2 <= s^(2/L) + 3/2 L (L - 1) g.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from workers.runs.conservation import carried_sign
from workers.runs.observations import observe
from workers.runs.scaling import LEAST_PRODUCT
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]

ROUNDINGS = 4
"""LU, a product and a singular value decomposition each move a matrix of n rows by a small multiple of n units of
rounding (Higham 2002, sections 3.5 and 9.3), so |error of det F| <= 4 n^2 eps ||F||^n. This assumes the growth factor
of LU that is seen in practice; the worst case is 2^(n-1)."""

UNIT = float(np.finfo(np.float64).eps)
"""Metrics are computed in float64 whatever the precision of the run."""


def sign_is_certain(spec: RunSpec, columns: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
    """Whether rounding cannot have changed the recorded sign of the determinant, at each point (points,).

    The sign is certain where the determinant or the least singular value is large enough. A flow that carries
    ln|det W| as a coordinate keeps the sign of its start, and needs neither.

    Args:
        spec: a run with a square product whose infimal rank is one less than its dimension.
        columns: `log_abs_determinant`, `spectral_norm`, `distance_to_infimal_rank` (the least singular value) and, for
            depth > 1, `balancedness_gap`.
    """
    if carried_sign(spec):
        return np.isfinite(columns["log_abs_determinant"])
    largest = largest_factor_norm(spec, columns)
    with np.errstate(all="ignore"):
        large = columns["log_abs_determinant"] > _log_least_determinant(spec, columns, largest)
        regular = columns["distance_to_infimal_rank"] > _least_singular_value(spec, largest)
    return large | (regular & np.isfinite(columns["log_abs_determinant"]))


def _log_least_determinant(spec: RunSpec, columns: Mapping[str, Array], largest: Array) -> Array:
    """ln of the |det W| above which the sign is certain, (points,).

    With t the error of one factor's determinant, the sign is certain when every |det F_j| exceeds t. The squared
    determinants of two factors differ by at most D = n (L - 1) g M^(2n-2), and in any case by at most M^(2n). So the
    least of them, m, obeys det W^2 <= m (m + D)^(L-1), and m > t^2 is certain when det W^2 > t^2 (t^2 + D)^(L-1).
    Where hidden layers are wider than n, the determinant is taken of the product, with an error relative to M^(Ln).
    """
    dimension, depth = spec.problem.shape[0], spec.depth
    log_largest = np.log(largest)
    log_error = np.log(ROUNDINGS * dimension**2 * UNIT) + dimension * log_largest
    if not all(shape == (dimension, dimension) for shape in spec.factor_shapes):
        width = max(max(shape) for shape in spec.factor_shapes)
        return np.log(depth * width) + log_error + (depth - 1) * dimension * log_largest
    log_gap = np.logaddexp(np.log(_gap(columns, largest)), np.log(dimension * UNIT) + 2 * log_largest)
    spread = np.log(dimension * (depth - 1)) + log_gap + (2 * dimension - 2) * log_largest
    spread = np.minimum(spread, 2 * dimension * log_largest)
    return log_error + (depth - 1) / 2 * np.logaddexp(2 * log_error, spread)


def _least_singular_value(spec: RunSpec, largest: Array) -> Array:
    """The least singular value of W above which the sign is certain, (points,).

    The least singular value of a factor is at least that of W over M^(L-1). A matrix moved by less than its least
    singular value keeps the sign of its determinant.
    """
    width = max(max(shape) for shape in spec.factor_shapes)
    return ROUNDINGS * spec.depth * width * UNIT * largest**spec.depth


def distance_error(spec: RunSpec, columns: Mapping[str, Array]) -> Array:
    """Error of the recorded d = sqrt(2 loss), at most, through rounding in the run's precision, (points,).

    The error of an entry of a product of L factors of width w is at most L w units of M^L; that of all n^2 entries
    together, in Frobenius norm, is n times as large. A loss below the least number of the precision is recorded as 0.
    """
    precision = np.finfo(spec.precision)
    unit, underflow = float(precision.eps), float(np.sqrt(2 * np.float64(precision.smallest_subnormal)))
    width = max(max(shape) for shape in spec.factor_shapes)
    with np.errstate(all="ignore"):
        size = largest_factor_norm(spec, columns) ** spec.depth
    size = np.maximum(size, min(1.0, _largest_value(spec)))
    return spec.problem.shape[0] * spec.depth * width * unit * size + underflow


def largest_factor_norm(spec: RunSpec, columns: Mapping[str, Array]) -> Array:
    """Upper bound M on the spectral norm of every factor, at each point (points,)."""
    depth, norm = spec.depth, columns["spectral_norm"]
    with np.errstate(all="ignore"):
        squared = norm ** (2 / depth) + 1.5 * depth * (depth - 1) * _gap(columns, norm)
        in_range = (squared >= LEAST_PRODUCT) & np.isfinite(squared)
        roots = np.hypot(norm ** (1 / depth), np.sqrt(1.5 * depth * (depth - 1)) * np.sqrt(_gap(columns, norm)))
        return np.where(in_range, np.sqrt(squared), roots)


def _largest_value(spec: RunSpec) -> float:
    """The largest observed value in size: near it the residual of a small product is rounded."""
    return float(np.abs(observe(spec.problem).values).max(initial=0.0))


def _gap(columns: Mapping[str, Array], like: Array) -> Array:
    """The balancedness gap; 0 for a single factor, alone or times its transpose."""
    return columns.get("balancedness_gap", np.zeros_like(like))
