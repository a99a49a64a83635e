"""The axes of Plotly figures, and the axis of their colours."""

from math import ceil, log10

import numpy as np

from service.figures import layout
from service.figures.extents import LARGE, extent_of, on_axis, on_color_scale
from service.figures.layout import Size
from service.figures.picture import Array, Axis, ColorScale, Panel, Picture
from service.figures.renderers.plotly_grid import Grid
from service.figures.renderers.plotly_texts import lines
from service.figures.renderers.plotly_traces import Json, axis_number
from service.figures.themes import Theme
from service.figures.ticks import ticks_of

_MOST_TICKS, _FEWEST_TICKS = 6, 2
"""About how many ticks an axis has."""
_TICK_WIDTH, _TICK_HEIGHT = 70, 35
"""Of a panel with its labels, for each tick."""
_HALF_A_DECADE, _TWO_DECADES = 0.6, 2


def axes_of(picture: Picture, index: int, grid: Grid, theme: Theme) -> Json:
    """Both axes of a panel, given its index among the others."""
    panel, size, number = picture.panels[index], grid.size, axis_number(index)
    across, up = grid.domains(index)
    x = _axis(panel.x, panel.values_on("x"), int(size.panel_width / _TICK_WIDTH), theme)
    y = _axis(panel.y, panel.values_on("y"), int(size.panel_height / _TICK_HEIGHT), theme)
    x["title"] = {"text": lines(layout.x_label(picture, size, index)), "standoff": 6}
    y["title"] = {"text": lines(layout.y_label(picture, size, index)), "standoff": 6}
    special = _special(picture, panel)
    return {
        f"xaxis{number}": {**x, **special, "domain": across, "anchor": f"y{number}"},
        f"yaxis{number}": {**y, **special, "domain": up, "anchor": f"x{number}"},
    }


def color_axis(scale: ColorScale, size: Size, theme: Theme) -> Json:
    """What the sequential colours stand for, with ticks for all floats."""
    last = len(theme.sequence) - 1
    stops = [[round(index / last, 6), color] for index, color in enumerate(theme.sequence)]
    ticks = ticks_of(scale.scale, scale.low, scale.high)
    title = lines(layout.lines_of(scale.label, size.rows * size.panel_height / 2))
    bar: Json = {"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0}
    bar |= {"tickvals": on_color_scale(np.array(ticks.positions), scale), "ticktext": ticks.factored_texts}
    low, high = on_color_scale(np.array([scale.low, scale.high]), scale)
    return {"colorscale": stops, "cmin": low, "cmax": high, "colorbar": bar}


def _special(picture: Picture, panel: Panel) -> Json:
    """What axes of heat maps and of empty panels have unlike others."""
    if layout.has_cells(picture):
        return {"type": "category", "showgrid": False}
    return {"type": "linear", "range": [0, 1], "showticklabels": False, "ticks": ""} if panel.is_empty else {}


def _axis(axis: Axis, values: Array, room: int, theme: Theme) -> Json:
    drawn = on_axis(axis.scale, values)
    look: Json = {
        "type": axis.scale,
        "gridcolor": theme.grid,
        "linecolor": theme.ink,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "nticks": 7,
        "automargin": True,
        **_ticks(axis, drawn, max(_FEWEST_TICKS, min(_MOST_TICKS, room))),
    }
    if axis.limits is not None or (drawn.size and drawn.max() > LARGE):  # of which Plotly finds no range
        ends = [log10(end) if axis.scale == "log" else end for end in extent_of(axis, values)]
        look["range"] = ends[::-1] if axis.falling else ends
    elif axis.falling:
        look["autorange"] = "reversed"
    return look


def _ticks(axis: Axis, drawn: Array, count: int) -> Json:
    """Ticks at powers of ten, or at 1, 2 and 5 of them where there are few; at whole numbers where only those exist.

    Within half a decade Plotly chooses, with as many digits as tell its ticks apart.
    """
    if axis.scale == "log":
        decades = float(np.ptp(np.log10(drawn))) if drawn.size else 0.0
        step: Json = {"dtick": "D2" if decades < _TWO_DECADES else ceil(decades / count)}
        return {"exponentformat": "power", "tickangle": 0, **(step if decades >= _HALF_A_DECADE else {})}
    span = float(np.ptp(drawn)) if drawn.size else 0.0
    whole: Json = {"tickformat": "d", "dtick": float(max(1, ceil(span / count)))}
    return {"exponentformat": "power", **(whole if axis.whole else {})}
