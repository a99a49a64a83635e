"""Powers, sines and sums of powers at many integers in a row, of which the rates of steps are made.

They come from few exact values: those of every 64th integer, moved on by up to 63 with products.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STRIDE = 64
"""Steps from one exact value to the next; their products are within two units of rounding of exact values."""

SUMMED = 64
"""First terms of a sum of powers that are added up; Euler-Maclaurin's formula gives the rest to rounding."""


def powers(base: float, first: int, count: int) -> Array:
    """base^k for `count` exponents k from `first` on, (count,)."""

    def exact(exponents: Array) -> Array:
        return np.power(np.full(len(exponents), base), exponents)

    return _moved_on(first, count, lambda coarse, fine: exact(coarse)[:, None] * exact(fine))


def sines(angle: float, first: int, count: int) -> Array:
    """sin(k angle) for `count` numbers k from `first` on, (count,)."""

    def sums(coarse: Array, fine: Array) -> Array:
        there, here = (coarse * angle)[:, None], fine * angle
        sines = np.sin(there) * np.cos(here)
        sines += np.cos(there) * np.sin(here)
        return sines

    return _moved_on(first, count, sums)


def _moved_on(first: int, count: int, values: Callable[[Array, Array], Array]) -> Array:
    """A function at `count` integers from `first` on, from its values at multiples of STRIDE plus 0 to STRIDE - 1."""
    begin, end = first // STRIDE, -(-(first + count) // STRIDE)
    coarse, fine = np.arange(begin, end, dtype=np.float64) * STRIDE, np.arange(STRIDE, dtype=np.float64)
    return values(coarse, fine).ravel()[first - begin * STRIDE :][:count]


def sums_of_powers(power: float, terms: Array) -> Array:
    """Sum of j^-power for j from 1 to each of `terms`; beyond SUMMED terms by Euler and Maclaurin's formula."""
    first = np.arange(1, SUMMED + 1, dtype=np.float64) ** -power
    few = np.concatenate([[0.0], np.cumsum(first)])[np.minimum(terms, SUMMED).astype(np.int64)]
    last = np.maximum(terms, float(SUMMED))
    stretch = (1 - power) * np.log(last / SUMMED)
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.where(stretch == 0, 1.0, np.expm1(stretch) / stretch)
    integral = SUMMED ** (1 - power) * grown * np.log(last / SUMMED)
    ends = _ends(power, last) - _ends(power, np.array(float(SUMMED)))
    return few + integral + ends


def _ends(power: float, at: Array) -> Array:
    """f / 2 + f' / 12 - f''' / 720 + f''''' / 30240 of f(x) = x^-power."""
    value, rest = at**-power, 1 / (at * at)
    first = -power * value / at
    third = first * (power + 1) * (power + 2) * rest
    fifth = third * (power + 3) * (power + 4) * rest
    return value / 2 + first / 12 - third / 720 + fifth / 30240
