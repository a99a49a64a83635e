"""Lines, marks, bands and heat maps on matplotlib's axes, which have their limits already."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from service.figures.extents import on_color_scale
from service.figures.picture import Array, Band, Cells, Line, Marks, Series
from service.figures.renderers.matplotlib_paint import Paint

DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.5)), "dashdot": (0, (5, 1.5, 1, 1.5))}
MARKERS = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "down": "v",
    "star": "*",
    "pentagon": "p",
    "hexagon": "h",
    "plus": "+",
    "cross": "x",
}
STROKES = ("plus", "cross")
MOST_WRITTEN_CELLS = 150
_MANY_COLUMNS, _LONG_NAMES = 8, 24
"""Columns, and letters in all their names, from which those stand aslant."""
_BEYOND = 1000
"""Lengths of an axis beyond its ends to which lines are followed: further away no slope is seen to change."""


def draw_series(axes: Axes, series: Series, paint: Paint, order: float) -> None:
    """Draw one series; of a higher `order` it lies above others."""
    match series:
        case Line():
            axes.plot(
                _near(axes, "x", series.x),
                _near(axes, "y", series.y),
                color=paint.theme.color(series.color),
                linewidth=series.width,
                linestyle=DASHES[series.dash],
                alpha=series.opacity,
                marker=None if series.marker is None else MARKERS[series.marker],
                markersize=4,
                zorder=order,
                solid_capstyle="round",
            )
        case Marks():
            _draw_marks(axes, series, paint, order)
        case Band():
            edges = (_near(axes, "x", series.x), _near(axes, "y", series.low), _near(axes, "y", series.high))
            axes.fill_between(*edges, color=paint.theme.color(series.color), alpha=0.2, lw=0, zorder=order)
        case Cells():
            _draw_cells(axes, series, paint)


def _near(axes: Axes, name: Literal["x", "y"], values: Array) -> Array:
    """Values of a linear axis, those far outside of it brought nearer, for not every distance is a float."""
    if getattr(axes, f"get_{name}scale")() != "linear":
        return values
    low, high = sorted(getattr(axes, f"get_{name}lim")())
    return np.clip(values, low - _BEYOND * (high - low), high + _BEYOND * (high - low))


def _draw_marks(axes: Axes, marks: Marks, paint: Paint, order: float) -> None:
    color: Any = paint.theme.color(marks.color) if marks.values is None else paint.shades(marks.values)
    outline: dict[str, Any] = {"linewidths": 0.0}
    if marks.marker in STROKES:
        outline = {"linewidths": 1.2}
    elif marks.outlined:
        outline = {"linewidths": 0.5, "edgecolors": paint.theme.ink}
    x, y = _near(axes, "x", marks.x), _near(axes, "y", marks.y)
    axes.scatter(x, y, s=marks.size**2, c=color, marker=MARKERS[marks.marker], zorder=order, **outline)


def _draw_cells(axes: Axes, cells: Cells, paint: Paint) -> None:
    clipped = np.clip(cells.values, paint.scale.low, paint.scale.high)
    values = np.ma.masked_invalid(on_color_scale(clipped, paint.scale))
    drawn = axes.pcolormesh(values, cmap=paint.colors.cmap, edgecolors=paint.theme.background, linewidth=1)
    drawn.set_norm(paint.colors.norm)
    is_tight = len(cells.columns) > _MANY_COLUMNS or sum(map(len, cells.columns)) > _LONG_NAMES
    aslant: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if is_tight else {}
    axes.set_xticks(np.arange(len(cells.columns)) + 0.5, cells.columns, **aslant)
    axes.set_yticks(np.arange(len(cells.rows)) + 0.5, cells.rows)
    axes.grid(visible=False)
    if cells.values.size <= MOST_WRITTEN_CELLS:
        _write_cells(axes, cells, paint.shades(clipped))


def _write_cells(axes: Axes, cells: Cells, shades: Array) -> None:
    for (row, column), text in np.ndenumerate(np.array(cells.texts)):
        if text:
            red, green, blue, _ = shades[row, column]
            color = "#1c1c1c" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else "#ffffff"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=color, fontsize=7)
