"""Pictures as Plotly figures: plain JSON of its schema, so that the API loads no Plotly (tests hold it to the schema).

Backgrounds are transparent and colours those of the theme. Where colours are on a logarithmic scale, `marker.color` has
the logarithms and `customdata` the values. What is not a number is null, which Plotly leaves out.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from service.figures import layout
from service.figures.layout import Size
from service.figures.picture import Array, Axis, Band, Cells, Color, ColorScale, Line, Marks, Panel, Picture
from service.figures.renderers import Style
from service.figures.themes import THEMES, Theme

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
_LEFT, _RIGHT, _TOP, _BOTTOM, _BETWEEN_COLUMNS, _BETWEEN_ROWS = 62, 14, 30, 46, 58, 62
_CLEAR = "rgba(0,0,0,0)"


def as_json(picture: Picture, style: Style) -> bytes:
    """The picture as a Plotly figure."""
    return orjson.dumps(as_figure(picture, style), default=np.ndarray.tolist, option=orjson.OPT_SERIALIZE_NUMPY)


def as_figure(picture: Picture, style: Style) -> Json:
    """The Plotly figure as plain values and arrays: `data` and `layout`."""
    theme, size = THEMES[style.theme], layout.size_of(picture, style.width)
    entries = layout.legend_of(picture)
    data = [trace for place, panel in enumerate(picture.panels) for trace in _traces(panel, place, picture, theme)]
    return {
        "data": [*data, *(_legend_trace(entry, theme) for entry in entries)],
        "layout": _layout(picture, size, style),
    }


def _layout(picture: Picture, size: Size, style: Style) -> Json:
    theme = THEMES[style.theme]
    below = _BOTTOM + layout.LEGEND_LINE * (size.legend_lines + bool(size.legend_lines))
    margin = {"l": _LEFT, "r": _RIGHT, "t": _TOP + 22 * bool(picture.note), "b": below}
    found: Json = {
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": {"color": theme.ink, "size": 12},
        "height": size.height + 40,
        "margin": margin,
        "showlegend": bool(size.legend_lines),
        "legend": _legend(picture, size, below),
        "hovermode": "closest",
        "meta": {"title": picture.title, "note": picture.note, **picture.meta},
        "annotations": _annotations(picture, size, theme),
    }
    if style.width is not None:
        found["width"] = style.width
    if picture.note:
        found["title"] = {
            "text": picture.note,
            "x": 0.01,
            "xanchor": "left",
            "font": {"size": 11, "color": theme.muted},
        }
    if picture.color_scale is not None:
        found["coloraxis"] = _color_axis(picture.color_scale, theme)
    for place, panel in enumerate(picture.panels):
        found |= _axes(picture, panel, place, size, theme)
    return found


def _legend(picture: Picture, size: Size, below: int) -> Json:
    inside = max(1, size.height + 40 - below - _TOP)
    return {
        "orientation": "h",
        "x": 0.5,
        "xanchor": "center",
        "y": -(_BOTTOM + 4) / inside,
        "yanchor": "top",
        "title": {"text": picture.legend_title},
    }


def _annotations(picture: Picture, size: Size, theme: Theme) -> list[Json]:
    plain: Json = {"showarrow": False, "xref": "paper", "yref": "paper"}
    if not picture.panels:
        return [{**plain, "text": picture.message, "x": 0.5, "y": 0.5, "font": {"size": 16, "color": theme.muted}}]
    titles: list[Json] = []
    for place, panel in enumerate(picture.panels):
        (left, _), (_, top) = _domains(size, place)
        place_of = {"x": left, "y": top, "xanchor": "left", "yanchor": "bottom", "font": {"size": 13}}
        titles.append({**plain, **place_of, "text": panel.title})
    return [title for title in titles if title["text"]]


def _domains(size: Size, place: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a panel stands, in fractions of the area of all: (left, right), (bottom, top)."""
    row, column = divmod(place, size.columns)
    across = _share(column, size.columns, _BETWEEN_COLUMNS / max(1, size.width - _LEFT - _RIGHT))
    up = _share(size.rows - 1 - row, size.rows, _BETWEEN_ROWS / max(1, size.height - _TOP - _BOTTOM))
    return across, up


def _share(place: int, count: int, gap: float) -> tuple[float, float]:
    gap = min(gap, 0.5 / count)
    extent = (1 - gap * (count - 1)) / count
    start = place * (extent + gap)
    return round(start, 6), round(min(1.0, start + extent), 6)


def _axes(picture: Picture, panel: Panel, place: int, size: Size, theme: Theme) -> Json:
    across, up = _domains(size, place)
    number = _number(place)
    x, y = _axis(panel.x, theme), _axis(panel.y, theme)
    if layout.shows_x_label(picture, size, place):
        x["title"] = {"text": panel.x.label, "standoff": 6}
    if layout.shows_y_label(picture, size, place):
        y["title"] = {"text": panel.y.label, "standoff": 6}
    if layout.has_cells(picture):
        x["type"] = y["type"] = "category"
    return {
        f"xaxis{number}": {**x, "domain": across, "anchor": f"y{number}"},
        f"yaxis{number}": {**y, "domain": up, "anchor": f"x{number}"},
    }


def _axis(axis: Axis, theme: Theme) -> Json:
    found: Json = {
        "type": axis.scale,
        "gridcolor": theme.grid,
        "linecolor": theme.ink,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "nticks": 7,
    }
    if axis.scale == "log":
        found |= {"exponentformat": "power", "dtick": 1} if axis.falling else {"exponentformat": "power"}
    if axis.whole:
        found["tickformat"] = "d"
    if axis.limits is not None:
        found["range"] = [float(np.log10(end)) if axis.scale == "log" else end for end in axis.limits]
    elif axis.falling:
        found["autorange"] = "reversed"
    return found


def _color_axis(scale: ColorScale, theme: Theme) -> Json:
    last = len(theme.sequence) - 1
    stops = [[round(place / last, 6), color] for place, color in enumerate(theme.sequence)]
    bar: Json = {"title": {"text": scale.label, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    low, high = _on_scale(np.array([scale.low, scale.high]), scale)
    if scale.scale == "log" and (exponents := layout.decades(scale.low, scale.high)):
        bar |= {"tickvals": exponents, "ticktext": [f"10<sup>{exponent}</sup>" for exponent in exponents]}
    return {"colorscale": stops, "cmin": low, "cmax": high, "colorbar": bar}


def _on_scale(values: Array, scale: ColorScale | None) -> Array:
    if scale is None or scale.scale == "linear":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values)


def _traces(panel: Panel, place: int, picture: Picture, theme: Theme) -> Iterator[Json]:
    number = _number(place)
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


def _scatter(series: Line | Marks) -> Json:
    about = {"text": series.about, "hovertemplate": "%{text}<br>%{x:.6g}, %{y:.6g}<extra></extra>"}
    named = {"legendgroup": series.name, "name": series.name} if series.name else {"name": series.about}
    found: Json = {"type": "scatter", "x": _plain(series.x), "y": _plain(series.y), "showlegend": False, **named}
    return found | (about if series.about else {"hoverinfo": "x+y"})


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
    found: Json = {"symbol": _SYMBOLS[marks.marker], "size": size, "line": {"width": 2 if is_stroke else 0}}
    if marks.outlined:
        found["line"] = {"width": 0.7, "color": theme.ink}
    if marks.values is None:
        color = theme.color(marks.color)
        found |= {"color": color, "line": {**found["line"], "color": color}} if is_stroke else {"color": color}
    else:
        found |= {"color": _plain(_on_scale(marks.values, picture.color_scale)), "coloraxis": "coloraxis"}
    return found


def _area(band: Band, theme: Theme) -> Json:
    known = np.isfinite(band.low) & np.isfinite(band.high)
    x, low, high = band.x[known], band.low[known], band.high[known]
    return {
        "type": "scatter",
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([low, high[::-1]]),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": _faded(theme, band.color),
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _faded(theme: Theme, color: Color) -> str:
    solid = theme.color(color)
    return "rgba({}, {}, {}, 0.2)".format(*(int(solid[place : place + 2], 16) for place in (1, 3, 5)))


def _cells(cells: Cells, scale: ColorScale | None) -> Json:
    return {
        "type": "heatmap",
        "x": list(cells.columns),
        "y": list(cells.rows),
        "z": _plain(_on_scale(cells.values, scale)),
        "customdata": _plain(cells.values),
        "coloraxis": "coloraxis",
        "texttemplate": "%{customdata:.3g}",
        "hovertemplate": "%{x}, %{y}: %{customdata:.6g}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
    }


def _legend_trace(entry: layout.LegendEntry, theme: Theme) -> Json:
    """An empty trace that stands for all that carry a name, so that a click hides or shows them together."""
    color = theme.color(entry.color)
    found: Json = {"type": "scatter", "x": [None], "y": [None], "name": entry.name, "legendgroup": entry.name}
    if entry.dash is not None:
        found["line"] = {"color": color, "dash": entry.dash, "width": 2}
    if entry.marker is not None:
        line = {"color": color, "width": 2 if entry.marker in ("plus", "cross") else 0}
        found["marker"] = {"symbol": _SYMBOLS[entry.marker], "color": color, "size": 8, "line": line}
    mode = "+".join(["lines"] * (entry.dash is not None) + ["markers"] * (entry.marker is not None))
    return {**found, "mode": mode, "showlegend": True}


def _plain(values: Array) -> Array:
    """An array that serialises: contiguous, NaN and infinities (which JSON has not) as null."""
    return np.ascontiguousarray(np.where(np.isfinite(values), values, np.nan) if values.dtype.kind == "f" else values)


def _number(place: int) -> str:
    return str(place + 1) if place else ""
