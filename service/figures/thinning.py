"""What of a series is drawn: points that have a position on their axes, thinned so that they look the same."""

import numpy as np
import numpy.typing as npt

from service.figures.extents import has_position
from service.figures.picture import Array, Axis
from service.values.thinning import extremes

_FEWEST = 4
"""Points that are never thinned: both ends with the extremes of one bucket."""


def drawable(x: Array, y: Array, x_axis: Axis, y_axis: Axis, most: int) -> tuple[Array, Array]:
    """At most `most` (4 or more) of the points (points,) or (points, width) that have a position on their axes.

    A point whose x has none is left out; a y that has none becomes NaN, a gap in the line.
    """
    drawn = has_position(x_axis.scale, x)
    x, y = x[drawn], y[drawn]
    y = np.where(has_position(y_axis.scale, y), y, np.nan)
    kept = _kept(np.log(y) if y_axis.scale == "log" else y, max(most, _FEWEST))
    return x[kept], y[kept]


def _kept(y: Array, most: int) -> npt.NDArray[np.int64]:
    """Positions of both ends and the extremes of each bucket; of vectors (points, width) those of half the mean."""
    if len(y) <= most:
        return np.arange(len(y))
    # A sum of large numbers is infinite where half their mean is not; that of quotients rounded up may be, too.
    return extremes([y if y.ndim == 1 else (y / (2 * y.shape[1])).sum(axis=1)], len(y), most // 2 - 1)
