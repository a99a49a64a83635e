"""Thinning: fewer points of a run that keep what the eye would see.

The points are cut into buckets of equal numbers of points. A point stays where some column is least or greatest in its
bucket, as in M4 (Jugel, Jerzak, Hackenbroich and Markl, VLDB 2014); the first and the last point stay, too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


def thin(columns: Sequence[Numbers], points: int, most: int) -> Positions:
    """Positions of the points that stay, ascending: at most `most` (2 or more) of `points`, as many as fit.

    The number of buckets is the largest that bisection finds to keep no more points than that.

    Args:
        columns: the numbers whose extremes are kept, each of shape (points,); the first ones count most where not even
            one bucket has room for all. What is not a number is no extreme.
    """
    if points <= most:
        return np.arange(points)
    fewest, buckets = extremes(columns, points, 1), 1
    if len(fewest) > most:
        return _first_columns(columns, points, most)
    kept, too_many = fewest, most
    while buckets + 1 < too_many:  # the number of points kept grows with the buckets, but for a few
        middle = (buckets + too_many) // 2
        positions = extremes(columns, points, middle)
        if len(positions) <= most:
            buckets, kept = middle, positions
        else:
            too_many = middle
    return kept


def extremes(columns: Sequence[Numbers], points: int, buckets: int) -> Positions:
    """Positions of both ends and of the extremes of each bucket, ascending.

    Args:
        columns: each of shape (points,); of equal numbers the first counts, and what is not a number is no extreme
            beside any that is.
        buckets: from 1 to `points`.
    """
    starts = np.linspace(0, points, buckets, endpoint=False).astype(np.int64)
    kept = np.zeros(points, dtype=bool)
    kept[[0, -1]] = True
    for column in columns:
        for empty, reduce in ((np.inf, np.minimum), (-np.inf, np.maximum)):
            filled = np.where(np.isnan(column), empty, column)
            extreme = reduce.reduceat(filled, starts)
            lengths = np.diff(starts, append=points)
            at = np.flatnonzero(filled == np.repeat(extreme, lengths))
            bucket = np.searchsorted(starts, at, side="right")
            kept[at[np.unique(bucket, return_index=True)[1]]] = True
    return np.flatnonzero(kept)


def _first_columns(columns: Sequence[Numbers], points: int, most: int) -> Positions:
    """The ends, and the extremes over all points of as many columns as there is room for."""
    kept: dict[int, Any] = dict.fromkeys((0, points - 1))
    for column in columns:
        if not np.isnan(column).all():
            kept |= dict.fromkeys((int(np.nanargmin(column)), int(np.nanargmax(column))))
    return np.sort(np.fromiter(kept, dtype=np.int64)[:most])
