"""The traces of Plotly figures: series as plain JSON of its schema."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from service.figures.extents import on_color_scale
from service.figures.layout import LegendEntry, legend_name
from service.figures.picture import Array, Band, Cells, Color, ColorScale, Line, Marks, Panel, Picture
from service.figures.renderers.plotly_texts import escaped, lines
from service.figures.themes import Theme, channels

Json = dict[str, Any]

_SYMBOLS = {
    "circle": "circle",
    "square": "square",
    "triangle": "triangle-up",
    "diamond": "diamond",
    "down": "triangle-down",
    "star": "star",
    "pentagon": "pentagon",
    "hexagon": "hexagon",
    "plus": "cross-thin-open",
    "cross": "x-thin-open",
}
_POINT = 96 / 72


def traces_of(panel: Panel, index: int, picture: Picture, theme: Theme) -> Iterator[Json]:
    """The traces of a panel, given its index among the others."""
    number = axis_number(index)
    on = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    for series in panel.series:
        match series:
            case Line():
                yield {**_scatter(series), **on, **_line(series, theme)}
            case Marks():
                yield {**_scatter(series), **on, "mode": "markers", "marker": _marker(series, picture, theme)} | (
                    {} if series.values is None else {"customdata": series.values}
                )
            case Band():
                yield {**_area(series, theme), **on}
            case Cells():
                yield {**_cells(series, picture.color_scale), **on}


def legend_trace(entry: LegendEntry, width: int, theme: Theme) -> Json:
    """An empty trace that stands for all that carry a name, so that a click hides or shows them together."""
    color = theme.color(entry.color)
    name = lines(legend_name(entry.name, width))
    trace: Json = {"type": "scatter", "x": [None], "y": [None], "name": name, "legendgroup": entry.name}
    if entry.dash is not None:
        trace["line"] = {"color": color, "dash": entry.dash, "width": 2}
    if entry.marker is not None:
        line = {"color": color, "width": 2 if entry.marker in ("plus", "cross") else 0}
        trace["marker"] = {"symbol": _SYMBOLS[entry.marker], "color": color, "size": 8, "line": line}
    mode = "+".join(["lines"] * (entry.dash is not None) + ["markers"] * (entry.marker is not None))
    return {**trace, "mode": mode, "showlegend": True}


def on_scale(values: Array, scale: ColorScale | None) -> Array:
    """Values as the colour scale of the picture has them."""
    return values if scale is None else on_color_scale(values, scale)


def axis_number(index: int) -> str:
    """What follows the x or y of a panel's axes: nothing for the first, then 2, 3, ..."""
    return str(index + 1) if index else ""


def _scatter(series: Line | Marks) -> Json:
    text, name = escaped(series.about), escaped(series.name)
    about = {"text": text, "hovertemplate": "%{text}<br>%{x:.6g}, %{y:.6g}<extra></extra>"}
    named = {"legendgroup": series.name, "name": name} if series.name else {"name": text}
    trace: Json = {"type": "scatter", "x": series.x, "y": series.y, "showlegend": False, **named}
    return trace | (about if series.about else {"hoverinfo": "x+y"})


def _line(line: Line, theme: Theme) -> Json:
    color = theme.color(line.color)
    style: Json = {
        "mode": "lines",
        "line": {"color": color, "width": line.width * _POINT, "dash": line.dash},
        "opacity": line.opacity,
    }
    if line.marker is not None:
        style |= {"mode": "lines+markers", "marker": {"symbol": _SYMBOLS[line.marker], "size": 7, "color": color}}
    return style


def _marker(marks: Marks, picture: Picture, theme: Theme) -> Json:
    is_stroke = marks.marker in ("plus", "cross")
    size = marks.size * _POINT
    style: Json = {"symbol": _SYMBOLS[marks.marker], "size": size, "line": {"width": 2 if is_stroke else 0}}
    if marks.outlined:
        style["line"] = {"width": 0.7, "color": theme.ink}
    if marks.values is None:
        color = theme.color(marks.color)
        style |= {"color": color, "line": {**style["line"], "color": color}} if is_stroke else {"color": color}
    else:
        style |= {"color": on_scale(marks.values, picture.color_scale), "coloraxis": "coloraxis"}
    return style


def _area(band: Band, theme: Theme) -> Json:
    outlines = [_outline(band, part) for part in _stretches(np.isfinite(band.low) & np.isfinite(band.high))]
    x, y = np.concatenate(outlines, axis=1)[:, 1:] if outlines else np.empty((2, 0))
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": _faded(theme, band.color),
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _stretches(drawn: Array) -> list[slice]:
    """The stretches of consecutive points that are drawn, (points,) of truth."""
    edges = np.flatnonzero(np.diff(drawn, prepend=False, append=False)).tolist()
    return [slice(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _outline(band: Band, part: slice) -> Array:
    """A gap, then the way along the lower edge and back along the upper one, (2, points)."""
    x, low, high = band.x[part], band.low[part], band.high[part]
    return np.array([[np.nan, *x, *x[::-1]], [np.nan, *low, *high[::-1]]])


def _faded(theme: Theme, color: Color) -> str:
    return "rgba({}, {}, {}, 0.2)".format(*channels(theme.color(color)))


def _cells(cells: Cells, scale: ColorScale | None) -> Json:
    values = cells.values if scale is None else np.clip(cells.values, scale.low, scale.high)
    return {
        "type": "heatmap",
        "x": [escaped(name) for name in cells.columns],
        "y": [escaped(name) for name in cells.rows],
        "z": on_scale(values, scale),
        "customdata": cells.values,
        "text": cells.texts,
        "coloraxis": "coloraxis",
        "texttemplate": "%{text}",
        "hovertemplate": "%{x}, %{y}: %{text}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
    }
