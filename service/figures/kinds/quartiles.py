"""Medians with quartiles, as a line in a band."""

from collections.abc import Sequence

import numpy as np

from service.figures.picture import Array, Band, Dash, Line, Marker, Series
from service.values.quantiles import FiveNumbers, five_numbers


def median_and_band(
    x: Array,
    samples: Sequence[Array],
    color: int,
    name: str,
    marker: Marker | None = None,
    dash: Dash = "solid",
) -> tuple[Series, ...]:
    """The quartiles of the samples at each x (points,), as summaries give them; nothing where no sample counts."""
    spreads = np.array([five_numbers(values) for values in samples]).reshape(-1, len(FiveNumbers._fields))
    there_are = [not np.isnan(spread).any() for spread in spreads]
    if not any(there_are):
        return ()
    at, (_, lower, middle, upper, _) = x[there_are], spreads[there_are].T
    return Band(at, lower, upper, color), Line(at, middle, color, name, name, dash, 1.4, marker=marker)
