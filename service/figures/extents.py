"""Extents: from where to where an axis goes, and in which unit, whatever floats lie on it."""

from math import floor, inf, log10, nextafter

import numpy as np

from service.figures.picture import Array, Axis, ColorScale, Scale

LARGEST, LEAST = float(np.finfo(float).max), nextafter(0.0, 1.0)
LARGE, SMALL = 1e300, 1e-290
"""Sizes beyond which sums, differences or quotients of numbers on a linear axis may leave the finite ones."""
_ROOM = 0.05
_NARROWEST = 1e-12
"""Least length of an axis over its largest number: in less, rounding would be seen."""
_NOTHING: dict[Scale, tuple[float, float]] = {"linear": (0.0, 1.0), "log": (1.0, 10.0)}


def extent_of(axis: Axis, values: Array) -> tuple[float, float]:
    """The least and the greatest number of an axis: its limits, or what values (any shape) need, with some room.

    Both are finite, apart, and on a logarithmic axis positive.
    """
    if axis.limits is not None:
        return axis.limits
    values = on_axis(axis.scale, values)
    if not values.size:
        return _NOTHING[axis.scale]
    low, high = float(values.min()), float(values.max())
    return _around_logarithms(log10(low), log10(high)) if axis.scale == "log" else _around(low, high)


def on_axis(scale: Scale, values: Array) -> Array:
    """Those of the values (any shape) that have a position, (n,)."""
    return values[has_position(scale, values)]


def has_position(scale: Scale, values: Array) -> Array:
    """Which values can be drawn on an axis: finite ones, on a logarithmic axis those above 0."""
    with np.errstate(invalid="ignore"):
        return np.isfinite(values) & ((values > 0) | (scale == "linear"))


def power_of_unit(values: Array) -> int:
    """Exponent of the power of ten in which values (any shape) are read on a linear axis, 0 unless they are extreme."""
    sizes = np.abs(on_axis("linear", values))
    largest = float(sizes.max()) if sizes.size else 0.0
    return floor(log10(largest)) if largest > LARGE or 0 < largest < SMALL else 0


def in_unit(values: Array, power: int) -> Array:
    """Values over a power of ten, which need not be a float itself."""
    if not power:
        return values
    half = power // 2
    with np.errstate(over="ignore"):  # of what lies far beyond the limits of an axis
        return values / 10.0**half / 10.0 ** (power - half)


def usable_limits(axis: Axis) -> tuple[float, float] | None:
    """The axis's limits as far as floats go, ascending; None where they are no two numbers of it."""
    if axis.limits is None:
        return None
    low, high = (min(max(float(end), -LARGEST), LARGEST) for end in sorted(axis.limits))
    return (low, high) if low < high and (low > 0 or axis.scale == "linear") else None


def on_color_scale(values: Array, scale: ColorScale) -> Array:
    """Values as the colour scale has them: their logarithms where it is logarithmic, else numbers in its unit."""
    if scale.scale == "linear":
        return in_unit(values, power_of_unit(np.array([scale.low, scale.high])))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)


def evenly(low: float, high: float, count: int, scale: Scale) -> Array:
    """Numbers from `low` to `high`, evenly spaced as the scale has them, (count,); both ends exact."""
    shares = np.linspace(0, 1, count)
    if scale == "log":
        low_exponent, high_exponent = log10(low), log10(high)
        with np.errstate(over="ignore", under="ignore"):
            numbers = 10.0 ** (low_exponent * (1 - shares) + high_exponent * shares)
    else:
        numbers = low * (1 - shares) + high * shares
    numbers[0], numbers[-1] = low, high
    return np.clip(numbers, low, high)


def share_of(value: float, low: float, high: float, scale: Scale) -> float:
    """How far a value has come from `low` (0) to `high` (1)."""
    if scale == "log":
        value, low, high = log10(value), log10(low), log10(high)
    halves = (value / 2 - low / 2, high / 2 - low / 2)  # the whole distance may be larger than any float
    return halves[0] / halves[1] if halves[1] else 0.0


def _around(low: float, high: float) -> tuple[float, float]:
    size = max(abs(low), abs(high))
    room = _ROOM * (high - low if high - low > _NARROWEST * size else size or 20)
    return low - room, high + room


def _around_logarithms(low: float, high: float) -> tuple[float, float]:
    low, high = _around(low, high) if high - low > _NARROWEST else (low - 0.3, high + 0.3)
    ends = (_exponential(low), _exponential(high))
    return max(ends[0], LEAST), min(ends[1], LARGEST)


def _exponential(exponent: float) -> float:
    try:
        return 10.0**exponent
    except OverflowError:
        return inf
