"""Pictures as Plotly figures: plain JSON of its schema, so that the API loads no Plotly (tests hold it to the schema).

Backgrounds are transparent and colours those of the theme. Where colours are on a logarithmic scale, `marker.color` has
the logarithms and `customdata` the values. What is not a number is null, which Plotly leaves out.
"""

from math import ceil

import numpy as np
import orjson

from service.figures import layout
from service.figures.layout import Size
from service.figures.picture import Array, Axis, ColorScale, Line, Marks, Panel, Picture
from service.figures.renderers import Style
from service.figures.renderers.plotly_traces import Json, axis_number, legend_trace, on_scale, traces_of
from service.figures.themes import THEMES, Theme

_LEFT, _RIGHT, _TOP, _BOTTOM, _BETWEEN_COLUMNS, _BETWEEN_ROWS = 62, 14, 30, 46, 58, 62
_CLEAR = "rgba(0,0,0,0)"
_TICKS = 6
"""About how many ticks an axis has room for."""


def as_json(picture: Picture, style: Style) -> bytes:
    """The picture as a Plotly figure."""
    return orjson.dumps(as_figure(picture, style), default=np.ndarray.tolist, option=orjson.OPT_SERIALIZE_NUMPY)


def as_figure(picture: Picture, style: Style) -> Json:
    """The Plotly figure as plain values and arrays: `data` and `layout`."""
    theme, size = THEMES[style.theme], layout.size_of(picture, style.width)
    entries = layout.legend_of(picture)
    data = [trace for place, panel in enumerate(picture.panels) for trace in traces_of(panel, place, picture, theme)]
    return {
        "data": [*data, *(legend_trace(entry, theme) for entry in entries)],
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
    number = axis_number(place)
    x, y = (
        {**_axis(axis, theme), **_ticks(axis, _values(panel, name))} for name, axis in (("x", panel.x), ("y", panel.y))
    )
    if layout.shows_x_label(picture, size, place):
        x["title"] = {"text": panel.x.label, "standoff": 6}
    if layout.shows_y_label(picture, size, place):
        y["title"] = {"text": panel.y.label, "standoff": 6}
    if layout.has_cells(picture):
        for axis in (x, y):
            axis |= {"type": "category", "showgrid": False}
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
    if axis.limits is not None:
        found["range"] = [float(np.log10(end)) if axis.scale == "log" else end for end in axis.limits]
    elif axis.falling:
        found["autorange"] = "reversed"
    return found


def _color_axis(scale: ColorScale, theme: Theme) -> Json:
    last = len(theme.sequence) - 1
    stops = [[round(place / last, 6), color] for place, color in enumerate(theme.sequence)]
    bar: Json = {"title": {"text": scale.label, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    low, high = on_scale(np.array([scale.low, scale.high]), scale)
    if scale.scale == "log" and (exponents := layout.decades(scale.low, scale.high)):
        bar |= {"tickvals": exponents, "ticktext": [f"10<sup>{exponent}</sup>" for exponent in exponents]}
    return {"colorscale": stops, "cmin": low, "cmax": high, "colorbar": bar}


def _ticks(axis: Axis, values: Array) -> Json:
    """Ticks at powers of ten, or at 1, 2 and 5 of them where there are few; at whole numbers where only those exist."""
    if axis.scale == "log":
        decades = float(np.ptp(np.log10(values))) if len(values) else 0.0
        return {"exponentformat": "power", "dtick": ceil(decades / _TICKS) if decades >= 2 else "D2"}
    span = float(np.ptp(values)) if len(values) else 0.0
    return {"tickformat": "d", "dtick": max(1, ceil(span / _TICKS))} if axis.whole else {}


def _values(panel: Panel, name: str) -> Array:
    """What a panel's lines have on one of its axes."""
    found = [getattr(series, name) for series in panel.series if isinstance(series, Line | Marks)]
    values = np.concatenate([np.empty(0), *found])
    return values[np.isfinite(values)]
