"""Quantiles that non-finite numbers do not spoil."""

import numpy as np
import numpy.typing as npt

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def five_numbers(sorted_values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Least, lower quartile, median, upper quartile and greatest of ascending numbers (1 or more).

    Between two neighbours linearly, as definition 7 of Hyndman and Fan (1996) and numpy do; an infinite number beside a
    finite one counts for all between them.
    """
    return tuple(_quantile(sorted_values, share) for share in QUANTILES)


def _quantile(values: npt.NDArray[np.float64], share: float) -> float:
    place = share * (len(values) - 1)
    below, above = float(values[int(place)]), float(values[min(int(place) + 1, len(values) - 1)])
    further = place - int(place)
    return below if not further or below == above else below + (above - below) * further
