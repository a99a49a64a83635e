"""The potentials of diagonal networks: what a gradient flow of w = u^L - v^L from u = v = alpha minimises.

The flow keeps w = alpha^L h(t) with t in the span of the measurements, so that where it ends h^-1(w / alpha^L) is the
gradient of a potential, q = the integral of h^-1 (Woodworth et al. 2020). The conjugate of q is the
integral of h.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from workers.runs.models.least_q import LeastQ

Array = npt.NDArray[np.float64]

INVERSIONS = 100
"""Most steps of Newton's method for h^-1; a dozen serve."""


class Potential(Protocol):
    """q of a single weight, through its derivatives; every method works entry by entry."""

    reach: float
    """The largest size of t, which it stays below."""

    def weight(self, t: Array) -> Array:
        """h(t), the weight in units of alpha^L."""
        ...

    def slope(self, t: Array) -> Array:
        """h'(t)."""
        ...

    def inverse(self, weight: Array) -> Array:
        """t = h^-1(z), which is q'(z)."""
        ...

    def conjugate(self, t: Array) -> Array:
        """The conjugate of q, which is the integral of h from 0 to t."""
        ...


class Hypentropy:
    """L = 2: h(t) = 2 sinh t, q(z) = 2 - sqrt(4 + z^2) + z asinh(z / 2)."""

    reach = np.inf

    def weight(self, t: Array) -> Array:
        return 2 * np.sinh(t)

    def slope(self, t: Array) -> Array:
        return 2 * np.cosh(t)

    def inverse(self, weight: Array) -> Array:
        return np.arcsinh(weight / 2)

    def conjugate(self, t: Array) -> Array:
        """2 cosh t - 2, without subtracting it."""
        return 4 * np.sinh(t / 2) ** 2


class PowerPotential:
    """L > 2: h(t) = (1 - t)^-p - (1 + t)^-p for |t| < 1, with p = L / (L - 2).

    Args:
        depth: L.
    """

    reach = 1.0

    def __init__(self, depth: int) -> None:
        self._power = depth / (depth - 2)

    def weight(self, t: Array) -> Array:
        return np.expm1(-self._power * np.log1p(-t)) - np.expm1(-self._power * np.log1p(t))

    def slope(self, t: Array) -> Array:
        return self._power * ((1 - t) ** (-self._power - 1) + (1 + t) ** (-self._power - 1))

    def inverse(self, weight: Array) -> Array:
        """By Newton's method for (1 - t)^-p = 1 + a, from the t at which the first term alone gives the weight."""
        size = np.abs(weight)
        t = -np.expm1(-np.log1p(size) / self._power)  # (1 - t)^-p - 1 = |z|, and h(t) is larger
        for _ in range(INVERSIONS):
            step = (self.weight(t) - size) / self.slope(t)
            t = np.clip(t - step, 0.0, np.nextafter(1.0, 0.0))
            if (np.abs(step) <= 1e-16).all():
                break
        return np.copysign(t, weight)

    def conjugate(self, t: Array) -> Array:
        exponent = self._power - 1
        return (np.expm1(-exponent * np.log1p(-t)) + np.expm1(-exponent * np.log1p(t))) / exponent


def potential_of(model: LeastQ) -> Potential:
    """The potential of a model's depth."""
    return Hypentropy() if model.depth == 2 else PowerPotential(model.depth)


def value(potential: Potential, weight: Array) -> Array:
    """q(z), as z t less the conjugate at t = h^-1(z), where Fenchel's inequality holds with equality."""
    t = potential.inverse(weight)
    return weight * t - potential.conjugate(t)
