"""Bounds by the loss on the unobserved entry (below) and on ranks (above), while the determinant has the needed sign.

Losses are half sums of squared residuals; d = sqrt(2 loss) is the distance of the observed entries from their values.
Each bound holds for every matrix with that loss and the needed sign, whichever algorithm produced it.

Sources: the settings and the limit 1/epsilon are those of Razin and Cohen 2020 (arXiv 2005.06398) and of their response
to its reviews; the bounds in the loss were derived for this project and are tested against random matrices.
"""

import numpy as np
import numpy.typing as npt

from workers.runs.scaling import LEAST_PRODUCT, times_over
from workers.runs.theory.settings import Setting

Array = npt.NDArray[np.float64]


def unobserved_entry_at_least(setting: Setting, loss: Array) -> Array:
    """Lower bound on |unobserved entry| at each loss (points,); 0 where the loss is too large for a bound."""
    if setting.kind == "basic_2x2":
        return basic_bound(loss)
    if setting.kind == "perturbed_2x2":
        return perturbed_bound(loss, setting.z, setting.z_prime, setting.epsilon)
    return corner_bound(loss, setting.dimension)


def unobserved_entry_at_distance(setting: Setting, distance: Array) -> Array:
    """The same bound at each distance d of the observed entries from their values, (points,)."""
    with np.errstate(over="ignore", under="ignore"):
        loss = distance**2 / 2
    bound = unobserved_entry_at_least(setting, loss)
    if setting.kind != "perturbed_2x2":
        return bound
    exact = perturbed_bound_at(distance, setting.z, setting.z_prime, setting.epsilon)
    return np.where((loss >= LEAST_PRODUCT) & np.isfinite(loss), bound, exact)


def basic_bound(loss: Array) -> Array:
    """Basic 2 x 2 setting, det W > 0: the least |W00|, which is attained.

    With s = 4 l / (1 + sqrt(1 + 8 l)), it is (1 - s)^(3/2) / sqrt(s) for l <= 3/8, sqrt(1 - 2 l) for l up to 1/2, then
    0. For small losses it is close to 1 / sqrt(2 l).
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        small = 4 * loss / (1 + np.sqrt(1 + 8 * loss))
        near = np.maximum(1 - small, 0) ** 1.5 / np.sqrt(small)
        far = np.sqrt(np.maximum(1 - 2 * loss, 0))
    return np.where(np.isnan(loss), np.nan, np.where(loss <= 3 / 8, near, far))


def perturbed_bound(loss: Array, z: float, z_prime: float, epsilon: float) -> Array:
    """Perturbed 2 x 2 setting, det W with the sign of z z': (|z| - d) (|z'| - d) / (|epsilon| + d), d < min(|z|, |z'|).

    |W00 W11| must exceed |W01 W10|, whose factors are within d of z and z', and |W11| <= |epsilon| + d.

    Args:
        loss: (points,).
        z, z_prime, epsilon: sizes |z|, |z'|, |epsilon|.
    """
    return perturbed_bound_at(distance_of(loss), z, z_prime, epsilon)


def perturbed_bound_at(distance: Array, z: float, z_prime: float, epsilon: float) -> Array:
    """`perturbed_bound` by the distance d, whose square may leave the range of floats."""
    bound = times_over(z - distance, z_prime - distance, epsilon + distance)
    return np.where(distance < min(z, z_prime), bound, _zero_or_nan(distance))


def corner_bound(loss: Array, dimension: int) -> Array:
    """All-but-corner setting of n rows, det W > 0: (1 - d)^n / (d (1 + d)^(n - 2)) while d < 1, then 0."""
    distance = distance_of(loss)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        bound = (1 - distance) ** dimension / (distance * (1 + distance) ** (dimension - 2))
    return np.where(distance < 1, bound, _zero_or_nan(distance))


def distance_to_infimal_rank_at_most(setting: Setting, loss: Array) -> Array:
    """Upper bound on the least singular value, the distance to the infimal rank n - 1, at each loss (points,).

    Setting the observed entries to their values, and epsilon to 0, moves W by at most |epsilon| + d in Frobenius norm
    and reverses the sign of its determinant. A singular matrix lies on the way, and no singular matrix is nearer to W
    than the least singular value (Eckart and Young 1936).
    """
    return setting.epsilon + distance_of(loss)


def effective_rank_at_most(setting: Setting, loss: Array) -> Array | None:
    """Upper bound on the effective rank at each loss (points,), None beyond 2 x 2, where theory has no bound.

    The bound is exp of the binary entropy in nats of q = min(1/2, s / (s + B)). The second singular value is at most s,
    and the first is at least |W00| >= B (effective rank: Roy and Vetterli 2007).
    """
    if setting.dimension != 2:
        return None
    second, first = distance_to_infimal_rank_at_most(setting, loss), unobserved_entry_at_least(setting, loss)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.where(second >= first, 0.5, 1 / (1 + first / second))
    return np.where(np.isnan(second), np.nan, np.exp(_binary_entropy(share)))


def certificate(products: Array, unobserved: tuple[int, ...], needed_sign: int) -> Array:
    """The exact certificate: the lower bound that the observed entries of W force on |unobserved entry|, (points,).

    det W = w C + f, with C the cofactor of the unobserved entry w, and f = det W with w set to 0. Where f and det W
    have opposite signs, |w| > |f| / |C|; elsewhere no bound is forced, and 0 is returned.

    Args:
        products: (points, n, n); the unobserved entry's value is not used.
        unobserved: row and column of the unobserved entry.
        needed_sign: the sign that det W has.
    """
    row, column = unobserved
    without = products.copy()
    without[:, row, column] = 0
    core = np.delete(np.delete(products, row, axis=1), column, axis=2)
    with np.errstate(all="ignore"):
        rest, cofactor = np.linalg.det(without), np.linalg.det(core)
        forced, sign = np.abs(rest) / np.abs(cofactor), np.sign(rest)
        if (lost := ~(_has_digits(rest) & _has_digits(cofactor))).any():
            (exact_sign, log_rest), (_, log_cofactor) = np.linalg.slogdet(without), np.linalg.slogdet(core)
            forced = np.where(lost, np.exp(log_rest - log_cofactor), forced)
            sign = np.where(lost, exact_sign, sign)
    return np.where(needed_sign * sign < 0, forced, 0.0)


def distance_of(loss: Array) -> Array:
    """d = sqrt(2 loss), the Frobenius distance of the observed entries from their values."""
    return np.sqrt(2.0) * np.sqrt(loss)


def _has_digits(determinants: Array) -> npt.NDArray[np.bool_]:
    """Whether determinants neither left the range of floats nor lost digits at its lower end."""
    sizes = np.abs(determinants)
    return (sizes >= LEAST_PRODUCT) & np.isfinite(sizes)


def _zero_or_nan(distance: Array) -> Array:
    return np.where(np.isnan(distance), np.nan, 0.0)


def _binary_entropy(share: Array) -> Array:
    """-q ln q - (1 - q) ln(1 - q), 0 at q = 0; q at most 1/2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -share * np.log(share) - (1 - share) * np.log1p(-share)
    return np.where(share > 0, entropy, 0.0)
