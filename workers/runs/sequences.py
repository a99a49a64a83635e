"""Powers, squared cosines and sums of powers at many integers in a row, of which the rates of steps are made.

They come from few exact values: those of every 64th integer, moved on by up to 63 with products. What moves them on is
written as sums, which numpy adds up here and compiled code in `workers.lab.native.sums`, with the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb, pi

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STRIDE = 64
"""Steps from one exact value to the next; their products are within two units of rounding of exact values."""

SUMMED = 64
"""First terms of a sum of powers that are added up; Euler-Maclaurin's formula gives the rest to rounding."""

TERMS = 8
"""Terms of Taylor's series of a power about the middle of a stride."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Numbers in a row: scale * (sum over terms of coarse * fine) + plus, the sum squared or not; each is rounded.

    Attributes:
        coarse: (strides, terms), of the strides that the numbers touch.
        fine: (terms, STRIDE), of the numbers of a stride.
        skipped: numbers of the first stride that are left out.
        count: how many numbers there are.
        is_squared: whether the sum is squared.
        scale, plus: what the sum is multiplied by, and what is added then.
    """

    coarse: Array
    fine: Array
    skipped: int
    count: int
    is_squared: bool = False
    scale: float = 1.0
    plus: float = 0.0

    def __len__(self) -> int:
        return self.count

    def array(self) -> Array:
        """The numbers, (count,)."""
        sums = self.coarse[:, :1] * self.fine[0]
        for coarse, fine in zip(self.coarse.T[1:], self.fine[1:], strict=True):
            sums += coarse[:, None] * fine
        if self.is_squared:
            sums *= sums
        sums *= self.scale
        sums += self.plus
        return sums.ravel()[self.skipped :][: self.count]


Numbers = Sums | Array
"""Numbers in a row."""


def joined(parts: Sequence[Numbers]) -> Array:
    """Parts, one after the other, as an array."""
    arrays = [part.array() if isinstance(part, Sums) else part for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def powers(base: float, first: int, count: int, scale: float = 1.0, plus: float = 0.0) -> Sums:
    """scale * base^k + plus for `count` exponents k from `first` on."""
    begins, skipped = _strides(first, count)
    coarse, fine = (np.power(np.full(len(exponents), base), exponents) for exponents in (begins, _FINE))
    return Sums(coarse[:, None], fine[None], skipped, count, scale=scale, plus=plus)


def cosines_squared(steps: int, first: int, count: int, scale: float, plus: float) -> Sums:
    """scale * cos(pi k / (2 steps))^2 + plus for `count` numbers k from `first` on, at most `steps` in all.

    Sines of the distance from the end, where cosines are small, keep their digits.
    """
    angle = pi / (2 * steps)
    begins, skipped = _strides(steps - first - count + 1, count)
    there, here = begins[::-1] * angle, _FINE[::-1] * angle
    coarse, fine = np.stack([np.sin(there), np.cos(there)], axis=1), np.stack([np.cos(here), np.sin(here)])
    skipped = len(begins) * STRIDE - skipped - count
    return Sums(coarse, fine, skipped, count, is_squared=True, scale=scale, plus=plus)


def reciprocal_powers(power: float, first: int, count: int, scale: float) -> list[Numbers]:
    """scale * k^-power for `count` positive numbers k from `first` on: by Taylor's series, once that converges."""
    few = min(count, max(0, _series_begin(power) - first))
    parts = list[Numbers]()
    if few:
        numbers = np.arange(first, first + few, dtype=np.float64)
        parts.append(scale / numbers if power == 1 else scale * np.exp(-power * np.log(numbers)))
    if few < count:
        parts.append(_series(power, first + few, count - few, scale))
    return parts


def _series_begin(power: float) -> int:
    """The multiple of STRIDE from which on the first term that is left out is below half a unit of rounding."""
    reach = STRIDE / 2 * (2.0**54 * comb(ceil(power) + TERMS - 1, TERMS)) ** (1 / TERMS)
    return STRIDE * ceil(reach / STRIDE)


def _series(power: float, first: int, count: int, scale: float) -> Sums:
    """(m + d)^-power = m^-power * sum over n of binom(-power, n) (d / m)^n, the smallest terms first."""
    begins, skipped = _strides(first, count)
    middles = begins + (STRIDE - 1) / 2
    coarse, reach = np.empty((len(begins), TERMS)), STRIDE / middles
    coarse[:, -1] = middles**-power
    for n in range(1, TERMS):
        np.multiply(coarse[:, -n] * ((1 - power - n) / n), reach, out=coarse[:, -n - 1])
    fine = ((_FINE - (STRIDE - 1) / 2) / STRIDE) ** np.arange(TERMS)[::-1, None]
    return Sums(coarse, fine, skipped, count, scale=scale)


_FINE = np.arange(STRIDE, dtype=np.float64)


def _strides(first: int, count: int) -> tuple[Array, int]:
    """The begins of the strides that hold `count` integers from `first` on, and how many come before `first`."""
    begin, end = first // STRIDE, -(-(first + count) // STRIDE)
    return np.arange(begin, end, dtype=np.float64) * STRIDE, first - begin * STRIDE


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
