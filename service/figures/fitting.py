"""Fitting: what every picture goes through before it is drawn, so that any numbers and any texts can be drawn.

Afterwards each number has a position on its axis or is a gap, and each axis has finite limits. An empty panel says why
it is empty, and each text is one visible line.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from service.figures.extents import has_position, in_unit, on_axis, power_of_unit, usable_limits
from service.figures.picture import Array, Axis, Band, Cells, ColorScale, Line, Marks, Panel, Picture, Series
from service.figures.texts import MOST_OF_CELLS, apart, short_names, shortened
from service.figures.ticks import times_power_of_ten
from service.values.visible import visible

NO_SERIES = "No run has recorded this."
_LINEAR = "A linear axis"
NOT_FINITE = "No number recorded here is finite."
_MOST_SAID = 400
"""Letters of a sentence, and of what is said of a line to whoever points at it."""
_ISOLATED_SIZE = 3.0


def fitted(picture: Picture) -> Picture:
    """The same picture, with nothing in it that a renderer cannot draw or would read as anything but text."""
    all_series = [series for panel in picture.panels for series in panel.series]
    names = short_names(series.name for series in all_series if isinstance(series, Line | Marks))
    titles = short_names(panel.title for panel in picture.panels)
    return replace(
        picture,
        title=_sentence(picture.title),
        panels=tuple(_fitted_panel(panel, names, titles[panel.title]) for panel in picture.panels),
        color_scale=None if picture.color_scale is None else _fitted_scale(picture.color_scale),
        legend_title=_label(picture.legend_title),
        note=_sentence(picture.note),
        message=_sentence(picture.message),
    )


def suited(axis: Axis, *values: Array) -> Axis:
    """The axis on which the values (any shapes) can be drawn: a linear one where no number is above 0."""
    if axis.scale == "linear" or not any(on_axis("linear", each).size for each in values):
        return axis
    if any(on_axis("log", each).size for each in values):
        return axis
    return replace(
        axis, scale="linear", said=f"{_LINEAR}: nothing is above 0{f' in {axis.label}' if axis.label else ''}."
    )


def _fitted_panel(panel: Panel, names: Mapping[str, str], title: str) -> Panel:
    all_series = [_named(series, names) for series in panel.series]
    cells = [series for series in all_series if isinstance(series, Cells)]
    axes = (panel.x, panel.y) if cells else _suited_axes(panel)
    drawn = [part for series in all_series for part in _drawn(series, *axes)]
    is_empty = all(np.isnan(heat_map.values).all() for heat_map in cells) and not any(len(x) for x, _ in _points(drawn))
    because = [NOT_FINITE if all_series else NO_SERIES] if is_empty else [axis.said for axis in axes]
    between = Panel(*axes, tuple(drawn))
    x, x_power = _measured(axes[0], between.values_on("x"))
    y, y_power = _measured(axes[1], between.values_on("y"))
    scaled = tuple(_in_units(part, x_power, y_power) for part in drawn)
    return Panel(x, y, scaled, title, _sentence(" ".join(filter(None, because))), is_empty)


def _suited_axes(panel: Panel) -> tuple[Axis, Axis]:
    """The x axis for all points with a y, and the y axis for those that have a position on it."""
    pairs = list(_points(panel.series))
    x = suited(panel.x, *(x[np.isfinite(y)] for x, y in pairs))
    y = suited(panel.y, *(y[has_position(x.scale, across)] for across, y in pairs))
    return x, y


def _drawn(series: Series, x: Axis, y: Axis) -> Iterator[Series]:
    """What of a series has a position; a point of a line with gaps around it is marked, for it would not be seen."""
    if isinstance(series, Cells):
        yield series
        return
    here = has_position(x.scale, series.x)
    if isinstance(series, Band):
        yield _drawn_band(series, here, y)
        return
    up = series.y[here]
    with_gaps = np.where(has_position(y.scale, up), up, np.nan)
    values = {"values": series.values[here]} if isinstance(series, Marks) and series.values is not None else {}
    yield replace(series, x=series.x[here], y=with_gaps, **values)
    if isinstance(series, Line) and series.marker is None and (alone := _isolated(with_gaps)).any():
        at, color = series.x[here][alone], series.color
        yield Marks(at, up[alone], None, color, series.name, series.about, size=_ISOLATED_SIZE)


def _drawn_band(band: Band, here: Array, y: Axis) -> Band:
    """A band; on a logarithmic axis it ends at its least positive number where it would go down to 0."""
    low, high = (edge[here].astype(float) for edge in (band.low, band.high))
    positive = on_axis(y.scale, np.concatenate([low, high]))
    if y.scale == "log" and positive.size:
        low = np.where(np.isfinite(low) & (low <= 0), positive.min(), low)
    whole = has_position(y.scale, low) & has_position(y.scale, high)
    return replace(band, x=band.x[here], low=np.where(whole, low, np.nan), high=np.where(whole, high, np.nan))


def _isolated(values: Array) -> Array:
    """Which numbers have a gap or nothing on either side, (points,)."""
    there = np.concatenate([[False], ~np.isnan(values), [False]])
    return there[1:-1] & ~there[:-2] & ~there[2:]


def _points(all_series: Iterable[Series]) -> Iterator[tuple[Array, Array]]:
    """All x and y (points,) of lines, marks and bands that have a number."""
    for series in all_series:
        if isinstance(series, Cells):
            continue
        for up in (series.low, series.high) if isinstance(series, Band) else (series.y,):
            finite = np.isfinite(up)
            yield series.x[finite], up[finite]


def _measured(axis: Axis, values: Array) -> tuple[Axis, int]:
    """The axis with limits and a label that can be drawn, and the exponent of its unit."""
    limits = usable_limits(axis)
    in_view = values if limits is None else np.array(limits)
    power = power_of_unit(in_view) if axis.scale == "linear" else 0
    if limits is not None and power:
        low, high = in_unit(np.array(limits), power).tolist()
        limits = (low, high)
    label = _with_unit(_label(axis.label), power)
    return replace(axis, limits=limits, label=label, whole=axis.whole and not power), power


def _in_units(series: Series, x_power: int, y_power: int) -> Series:
    if isinstance(series, Cells) or not (x_power or y_power):
        return series
    x = in_unit(series.x, x_power)
    if isinstance(series, Band):
        return replace(series, x=x, low=in_unit(series.low, y_power), high=in_unit(series.high, y_power))
    return replace(series, x=x, y=in_unit(series.y, y_power))


def _fitted_scale(scale: ColorScale) -> ColorScale:
    axis = Axis("", scale.scale, limits=(scale.low, scale.high))
    limits = usable_limits(axis) or usable_limits(replace(axis, scale="linear"))
    low, high = limits or (0.0, 1.0)
    is_log = scale.scale == "log" and low > 0
    power = 0 if is_log else power_of_unit(np.array([low, high]))
    return ColorScale(_with_unit(_label(scale.label), power), low, high, "log" if is_log else "linear")


def _named(series: Series, names: Mapping[str, str]) -> Series:
    match series:
        case Cells():
            return replace(
                series,
                rows=tuple(apart(series.rows, MOST_OF_CELLS)),
                columns=tuple(apart(series.columns, MOST_OF_CELLS)),
            )
        case Line() | Marks():
            return replace(series, name=names[series.name], about=_sentence(series.about))
        case Band():
            return series


def _with_unit(label: str, power: int) -> str:
    return f"{label} ({times_power_of_ten(power)})".lstrip() if power else label


def _label(text: str) -> str:
    return shortened(visible(text))


def _sentence(text: str) -> str:
    return shortened(visible(text), _MOST_SAID)
