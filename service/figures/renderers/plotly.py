"""Pictures as Plotly figures: plain JSON of its schema, so that the API loads no Plotly (tests hold it to the schema).

Backgrounds are transparent and colours those of the theme. Where colours are on a logarithmic scale, `marker.color` has
the logarithms and `customdata` the values. What is not a number is null, which Plotly leaves out.
"""

from collections.abc import Callable
from math import ceil, log10

import numpy as np
import orjson

from service.figures import layout
from service.figures.extents import LARGE, extent_of, on_axis, on_color_scale
from service.figures.layout import Size
from service.figures.picture import Array, Axis, ColorScale, Panel, Picture
from service.figures.renderers import Style
from service.figures.renderers.plotly_texts import escaped, lines
from service.figures.renderers.plotly_traces import Json, axis_number, legend_trace, traces_of
from service.figures.themes import THEMES, Theme
from service.figures.ticks import ticks_of

_LEFT, _RIGHT, _TOP, _BOTTOM, _BETWEEN_COLUMNS, _BETWEEN_ROWS = 62, 14, 30, 46, 58, 62
_BELOW, _NOTE = 40, 22
"""What a figure is higher than a picture, and the room for a note of one line."""
_NARROWEST_PANEL = 220
"""Of panels beside each other: letters are larger than in print."""
_LETTER = 7.0
"""Width of a letter of a title."""
_CLEAR = "rgba(0,0,0,0)"
_TICKS = 6
"""About how many ticks an axis has at most."""
_TICK_WIDTH, _TICK_HEIGHT = 70, 35
"""Of a panel with its labels, for each tick."""


def as_json(picture: Picture, style: Style) -> bytes:
    """The picture as a Plotly figure."""
    return orjson.dumps(as_figure(picture, style), default=np.ndarray.tolist, option=orjson.OPT_SERIALIZE_NUMPY)


def as_figure(picture: Picture, style: Style) -> Json:
    """The Plotly figure as plain values and arrays: `data` and `layout`."""
    theme, size = THEMES[style.theme], layout.size_of(picture, style.width, _NARROWEST_PANEL)
    entries = layout.legend_of(picture)
    data = [trace for place, panel in enumerate(picture.panels) for trace in traces_of(panel, place, picture, theme)]
    return {
        "data": [*data, *(legend_trace(entry, size.width, theme) for entry in entries)],
        "layout": _layout(picture, size, style),
    }


def _layout(picture: Picture, size: Size, style: Style) -> Json:
    theme = THEMES[style.theme]
    margin = _margin(picture, size)
    found: Json = {
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": {"color": theme.ink, "size": 12},
        "height": size.height + _BELOW,
        "margin": margin,
        "showlegend": bool(size.legend_lines),
        "legend": _legend(picture, size, margin),
        "hovermode": "closest",
        "meta": {"title": picture.title, "note": picture.note, **picture.meta},
        "annotations": _annotations(picture, size, margin, theme),
    }
    if style.width is not None:
        found["width"] = style.width
    if picture.note:
        text = lines(layout.lines_of(picture.note, size.width))
        font = {"size": 11, "color": theme.muted}
        found["title"] = {"text": text, "x": 0.01, "xanchor": "left", "y": 1, "yanchor": "top", "font": font}
        found["title"] |= {"yref": "container", "pad": {"t": 8}}
    if picture.color_scale is not None:
        found["coloraxis"] = _color_axis(picture.color_scale, size, theme)
    for place, panel in enumerate(picture.panels):
        found |= _axes(picture, panel, place, size, margin, theme)
    return found


def _margin(picture: Picture, size: Size) -> dict[str, int]:
    """Around all panels: for what is said above and below them."""
    note = (_NOTE + layout.NOTE_LINE * (size.note_lines - 1)) * bool(picture.note)
    return {
        "l": _LEFT + _further_lines(_label_lines(picture, size, layout.y_label)),
        "r": _RIGHT,
        "t": _TOP + _further_lines(size.title_lines) + note,
        "b": _under_panels(picture, size) + layout.LEGEND_LINE * (size.legend_lines + bool(size.legend_lines)),
    }


def _under_panels(picture: Picture, size: Size) -> int:
    """Room for the ticks and the labels of the x axes."""
    return _BOTTOM + _further_lines(_label_lines(picture, size, layout.x_label))


def _label_lines(picture: Picture, size: Size, label: Callable[[Picture, Size, int], list[str]]) -> int:
    return max((len(label(picture, size, place)) for place in range(len(picture.panels))), default=1)


def _further_lines(lines: int) -> int:
    """Room for the lines after the first."""
    return layout.TITLE_LINE * max(0, lines - 1)


def _inside(size: Size, margin: dict[str, int]) -> int:
    """The height of all panels together."""
    return max(1, size.height + _BELOW - margin["t"] - margin["b"])


def _legend(picture: Picture, size: Size, margin: dict[str, int]) -> Json:
    return {
        "orientation": "h",
        "x": 0.5,
        "xanchor": "center",
        "y": -(_under_panels(picture, size) + 4) / _inside(size, margin),
        "yanchor": "top",
        "title": {"text": escaped(picture.legend_title), "side": "top"},
    }


def _annotations(picture: Picture, size: Size, margin: dict[str, int], theme: Theme) -> list[Json]:
    plain: Json = {"showarrow": False, "xref": "paper", "yref": "paper"}
    muted: Json = {"size": 12, "color": theme.muted}
    if not picture.panels:
        text = lines(layout.lines_of(picture.message, size.width, 1.4 * _LETTER))
        return [{**plain, "text": text, "x": 0.5, "y": 0.5, "font": {**muted, "size": 16}}]
    said: list[Json] = []
    for place, panel in enumerate(picture.panels):
        (left, right), (bottom, top) = _domains(size, place, margin)
        title = lines(layout.title_lines(panel.title, size))
        above = {"x": left, "y": top, "xanchor": "left", "yanchor": "bottom", "align": "left", "font": {"size": 13}}
        said.append({**plain, **above, "text": title})
        height = {"y": (bottom + top) / 2} if panel.is_empty else {"y": top, "yanchor": "top"}
        text = lines(layout.lines_of(panel.said, size.panel_width - _LEFT, _LETTER))
        said.append({**plain, **height, "x": (left + right) / 2, "text": text, "font": muted})
    return [one for one in said if one["text"]]


def _domains(size: Size, place: int, margin: dict[str, int]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a panel stands, in fractions of the area of all: (left, right), (bottom, top)."""
    row, column = divmod(place, size.columns)
    between_columns = _BETWEEN_COLUMNS + margin["l"] - _LEFT
    between_rows = _BETWEEN_ROWS + _further_lines(size.title_lines)
    across = _share(column, size.columns, between_columns / max(1, size.width - margin["l"] - margin["r"]))
    up = _share(size.rows - 1 - row, size.rows, between_rows / _inside(size, margin))
    return across, up


def _share(place: int, count: int, gap: float) -> tuple[float, float]:
    gap = min(gap, 0.5 / count)
    extent = (1 - gap * (count - 1)) / count
    start = place * (extent + gap)
    return round(start, 6), round(min(1.0, start + extent), 6)


def _axes(picture: Picture, panel: Panel, place: int, size: Size, margin: dict[str, int], theme: Theme) -> Json:
    across, up = _domains(size, place, margin)
    number = axis_number(place)
    rooms = {"x": (panel.x, size.panel_width / _TICK_WIDTH), "y": (panel.y, size.panel_height / _TICK_HEIGHT)}
    x, y = (
        {**_axis(axis, panel.values_on(name), theme), **_ticks(axis, panel.values_on(name), int(room))}
        for name, (axis, room) in rooms.items()
    )
    x["title"] = {"text": lines(layout.x_label(picture, size, place)), "standoff": 6}
    y["title"] = {"text": lines(layout.y_label(picture, size, place)), "standoff": 6}
    if layout.has_cells(picture):
        for axis in (x, y):
            axis |= {"type": "category", "showgrid": False}
    elif panel.is_empty:
        for axis in (x, y):
            axis |= {"type": "linear", "range": [0, 1], "showticklabels": False, "ticks": ""}
    return {
        f"xaxis{number}": {**x, "domain": across, "anchor": f"y{number}"},
        f"yaxis{number}": {**y, "domain": up, "anchor": f"x{number}"},
    }


def _axis(axis: Axis, values: Array, theme: Theme) -> Json:
    drawn = on_axis(axis.scale, values)
    found: Json = {
        "type": axis.scale,
        "gridcolor": theme.grid,
        "linecolor": theme.ink,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "nticks": 7,
        "automargin": True,
    }
    if axis.limits is not None or (drawn.size and drawn.max() > LARGE):  # of which Plotly finds no range
        ends = [log10(end) if axis.scale == "log" else end for end in extent_of(axis, values)]
        found["range"] = ends[::-1] if axis.falling else ends
    elif axis.falling:
        found["autorange"] = "reversed"
    return found


def _color_axis(scale: ColorScale, size: Size, theme: Theme) -> Json:
    last = len(theme.sequence) - 1
    stops = [[round(place / last, 6), color] for place, color in enumerate(theme.sequence)]
    ticks = ticks_of(scale.scale, scale.low, scale.high)
    title = lines(layout.lines_of(scale.label, size.rows * size.panel_height / 2))
    bar: Json = {"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    bar |= {"tickvals": on_color_scale(np.array(ticks.positions), scale), "ticktext": ticks.factored_texts}
    low, high = on_color_scale(np.array([scale.low, scale.high]), scale)
    return {"colorscale": stops, "cmin": low, "cmax": high, "colorbar": bar}


def _ticks(axis: Axis, values: Array, room: int) -> Json:
    """About `room` ticks, at powers of ten, or at 1, 2 and 5 of them where there are few; at whole numbers where only those exist.

    Within half a decade Plotly chooses, with as many digits as tell its ticks apart.
    """
    drawn, count = on_axis(axis.scale, values), max(2, min(_TICKS, room))
    if axis.scale == "log":
        decades = float(np.ptp(np.log10(drawn))) if drawn.size else 0.0
        step = {} if decades < 0.6 else {"dtick": "D2" if decades < 2 else ceil(decades / count)}
        return {"exponentformat": "power", "tickangle": 0, **step}
    span = float(np.ptp(drawn)) if drawn.size else 0.0
    whole: Json = {"tickformat": "d", "dtick": float(max(1, ceil(span / count)))}
    return {"exponentformat": "power", **(whole if axis.whole else {})}
