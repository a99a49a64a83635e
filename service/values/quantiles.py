"""Quantiles: the one rule by which summaries, curves, figures and tables say how numbers spread.

Infinite numbers count, for a run that went to infinity is one of the runs; what is not a number does not.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


class FiveNumbers(NamedTuple):
    """Least, quartiles and greatest of numbers."""

    least: float
    lower_quartile: float
    median: float
    upper_quartile: float
    greatest: float


_SHARES = FiveNumbers(0.0, 0.25, 0.5, 0.75, 1.0)


def five_numbers(values: npt.ArrayLike) -> FiveNumbers:
    """The five numbers of values (n,) in any order; all NaN where no value counts.

    Between two neighbours linearly, as definition 7 of Hyndman and Fan (1996) and numpy do. An infinite neighbour of a
    finite one counts for all between them. Of two opposite infinities the nearer one does, and midway the negative one.
    """
    ascending = np.sort(that_count(values))
    if not len(ascending):
        return FiveNumbers(*[np.nan] * len(_SHARES))
    return FiveNumbers(*(_quantile(ascending, share) for share in _SHARES))


def median(values: npt.ArrayLike) -> float:
    """The median among the five numbers."""
    return five_numbers(values).median


def that_count(values: npt.ArrayLike) -> Numbers:
    """The values that quantiles are taken of: all but NaN."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[~np.isnan(numbers)]


def _quantile(ascending: Numbers, share: float) -> float:
    position = share * (len(ascending) - 1)
    index = int(position)
    further = position - index
    below, above = float(ascending[index]), float(ascending[min(index + 1, len(ascending) - 1)])
    if not further or below == above:
        return below
    if np.isinf(below) or np.isinf(above):
        return _beside_infinity(below, above, further)
    quantile = below + (above - below) * further
    return quantile if np.isfinite(quantile) else below * (1 - further) + above * further  # their distance overflows


def _beside_infinity(below: float, above: float, further: float) -> float:
    if np.isinf(below) and np.isinf(above):
        return below if further <= 0.5 else above
    return below if np.isinf(below) else above
