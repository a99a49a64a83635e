"""Thinning: fewer points that look the same, for the least and the greatest of each bucket of them are kept."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from service.figures.picture import Array, Axis


def kept(y: Array, most: int) -> npt.NDArray[np.int64]:
    """Ascending positions of at most `most` points of a series y (points,): both ends, and the extremes of each bucket.

    Of vectors (points, width) the extremes of the sum are kept. Values that are no numbers are never extremes.
    """
    count, size = len(y), y if y.ndim == 1 else y.sum(axis=1)
    if count <= max(most, 4):
        return np.arange(count)
    buckets = max(1, most // 2 - 1)
    edges = np.linspace(0, count, buckets + 1).astype(np.int64)
    low, high = np.where(np.isnan(size), np.inf, size), np.where(np.isnan(size), -np.inf, size)
    extremes = [
        [first + low[first:last].argmin(), first + high[first:last].argmax()] for first, last in pairwise(edges)
    ]
    return np.unique(np.concatenate([[0, count - 1], np.ravel(extremes)]))


def drawable(x: Array, y: Array, x_axis: Axis, y_axis: Axis, most: int) -> tuple[Array, Array]:
    """At most about `most` of the points (points,) or (points, width) that have a place on their axes.

    A point whose x has none is left out; a y that has none becomes NaN, a gap in the line.
    """
    with np.errstate(invalid="ignore"):
        has_place = np.isfinite(x) & ((x > 0) | (x_axis.scale == "linear"))
        x, y = x[has_place], y[has_place]
        y = np.where(np.isfinite(y) & ((y > 0) | (y_axis.scale == "linear")), y, np.nan)
    keep = kept(np.log(y) if y_axis.scale == "log" else y, most)
    return x[keep], y[keep]
