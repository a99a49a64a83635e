"""Medians with quartiles, as a line in a band."""

from collections.abc import Sequence

import numpy as np

from service.figures.picture import Array, Band, Dash, Line, Marker, Series

QUARTILES = (25, 50, 75)


def median_and_band(
    x: Array,
    samples: Sequence[Array],
    color: int,
    name: str,
    marker: Marker | None = None,
    dash: Dash = "solid",
) -> tuple[Series, ...]:
    """The quartiles of the finite samples at each x (points,); nothing where there are none."""
    finite = [values[np.isfinite(values)] for values in samples]
    some = np.array([len(values) > 0 for values in finite], dtype=bool)
    if not some.any():
        return ()
    low, middle, high = np.array([np.percentile(values, QUARTILES) for values in finite if len(values)]).T
    at = x[some]
    return Band(at, low, high, color), Line(at, middle, color, name, name, dash, 1.4, marker=marker)
