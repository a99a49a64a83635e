"""Numbers scaled by powers of two before they are squared or multiplied, in numpy (`workers.lab.metrics.scaling`)."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Numbers = Array | np.float64 | float

LEAST_NORM = 2.0**-480
"""Norms from here on were summed without loss: the squares behind them have all their digits."""

LEAST_PRODUCT = 2.0**-960
"""Products from here on have all their digits, with some to spare for a sum of them."""


def norm(values: Array) -> float:
    """Root of the sum of all squares, 0 of zeros alone; that of `np.linalg.norm` in the ordinary range."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        plain = float(np.linalg.norm(values))
        if LEAST_NORM <= plain < np.inf or np.isnan(plain):
            return plain
        unit, exponent = unit_of(values)
        return float(np.ldexp(np.linalg.norm(unit), exponent))


def unit_of(values: Array) -> tuple[Array, int]:
    """Values over a power of two that makes their largest size 1/2 to 1, and its exponent; 0 of zeros alone."""
    exponent = common_exponent(values)
    return np.ldexp(values, -exponent), exponent


def common_exponent(*arrays: Array) -> int:
    """The exponent of the largest size among several arrays; 0 of zeros alone, or where some is not finite."""
    largest = max((float(np.abs(array).max(initial=0.0)) for array in arrays), default=0.0)
    return int(np.frexp(largest)[1]) if np.isfinite(largest) else 0


def unit_product(chain: Sequence[Array]) -> Array:
    """The product of matrices, first to last, over some power of two that keeps it in the range of floats."""
    return reduce(lambda product, factor: unit_of(product @ unit_of(factor)[0])[0], chain[1:], unit_of(chain[0])[0])


def times_over(first: Numbers, second: Numbers, divisor: Numbers) -> Array:
    """first x second / divisor of finite numbers; the product may leave the range of floats on the way."""
    with np.errstate(all="ignore"):
        product = first * second
        plain = np.asarray(product / divisor)
        lost = ~np.isfinite(product) | ((np.abs(product) < LEAST_PRODUCT) & (first != 0) & (second != 0))
        if not np.any(lost):
            return plain
        (a, p), (b, q), (c, r) = np.frexp(first), np.frexp(second), np.frexp(divisor)
        finite = np.isfinite(first) & np.isfinite(second) & np.isfinite(divisor)
        return np.where(lost & finite, np.ldexp(a * b / c, p + q - r), plain)
