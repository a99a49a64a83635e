"""Pictures as PNG and SVG, by matplotlib without pyplot.

Text is drawn as paths, so that an SVG looks the same where its font is missing, and no date or random id is written,
so that the same picture gives the same bytes.
"""

import io
from threading import Lock
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from service.figures import layout
from service.figures.picture import Axis, Band, Cells, ColorScale, Line, Marks, Panel, Picture, Series
from service.figures.renderers import Style
from service.figures.themes import THEMES, Theme

mpl.rcParams.update({"svg.hashsalt": "rankward", "svg.fonttype": "path", "font.size": 8, "axes.linewidth": 0.6})

_DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.5)), "dashdot": (0, (5, 1.5, 1, 1.5))}
_MARKERS = {
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
_STROKES = ("plus", "cross")
_INCH = 96
_ONE_DECADE, _TWO_DECADES, _SEVERAL_DECADES = 10, 100, 3e5
"""Of a logarithmic axis: below two decades powers of ten say too little, beyond several ticks between them are a blur
(and cost more than the lines)."""
MOST_WRITTEN_CELLS = 150
_PLAIN = FormatStrFormatter("%.6g")
_drawing = Lock()
"""Matplotlib keeps caches of fonts and text that threads must not share."""


def as_png(picture: Picture, style: Style) -> bytes:
    """The picture as PNG."""
    return _save(picture, style, "png", dpi=_INCH * style.scale, metadata={"Title": picture.title, "Software": None})


def as_svg(picture: Picture, style: Style) -> bytes:
    """The picture as SVG."""
    return _save(picture, style, "svg", dpi=72, metadata={"Title": picture.title, "Date": None, "Creator": "Rankward"})


def _save(picture: Picture, style: Style, format: str, **arguments: Any) -> bytes:
    file = io.BytesIO()
    with _drawing:
        _draw(picture, style).savefig(file, format=format, **arguments)
    return file.getvalue()


def _draw(picture: Picture, style: Style) -> Figure:
    theme, size = THEMES[style.theme], layout.size_of(picture, style.width)
    inches = (size.width / _INCH, size.height / _INCH)
    figure = Figure(figsize=inches, layout="constrained", facecolor=theme.background)
    if not picture.panels:
        figure.text(0.5, 0.5, picture.message, ha="center", va="center", fontsize=11, color=theme.muted, wrap=True)
        return figure
    panels: list[Axes] = list(figure.subplots(size.rows, size.columns, squeeze=False).flat)
    colors = _colors(picture.color_scale, theme)
    for place, (axes, panel) in enumerate(zip(panels, picture.panels, strict=False)):
        _draw_panel(axes, panel, theme, colors)
        axes.set_title(panel.title, fontsize=layout.title_points(picture, size), color=theme.ink, loc="left")
        axes.set_xlabel(panel.x.label if layout.shows_x_label(picture, size, place) else "", color=theme.ink)
        axes.set_ylabel(panel.y.label if layout.shows_y_label(picture, size, place) else "", color=theme.ink)
    for unused in panels[len(picture.panels) :]:
        unused.set_axis_off()
    _add_color_bar(figure, picture.color_scale, panels, theme, colors)
    _add_legend(figure, picture, size.width, theme)
    if picture.note:
        figure.suptitle(picture.note, x=0.01, ha="left", fontsize=7, color=theme.muted)
    return figure


def _colors(scale: ColorScale | None, theme: Theme) -> ScalarMappable:
    scale = scale or ColorScale("", 0, 1)
    colormap: Colormap = LinearSegmentedColormap.from_list("sequence", theme.sequence)
    norm = (LogNorm if scale.scale == "log" else Normalize)(scale.low, scale.high)
    return ScalarMappable(norm, colormap)


def _draw_panel(axes: Axes, panel: Panel, theme: Theme, colors: ScalarMappable) -> None:
    axes.set_facecolor(theme.background)
    axes.set_axisbelow(True)
    axes.grid(color=theme.grid, linewidth=0.6)
    axes.tick_params(colors=theme.ink, labelsize=7, width=0.6, length=2.5)
    axes.tick_params(which="minor", width=0.4, length=1.5, color=theme.ink)
    for side, spine in axes.spines.items():
        spine.set_color(theme.ink)
        spine.set_visible(side in ("left", "bottom"))
    for order, series in enumerate(panel.series):
        _draw_series(axes, series, theme, colors, 2 + order / 1000)
    for artist in (*axes.lines, *axes.collections):
        artist.set_in_layout(False)  # clipped to the panel, whose place does not depend on them
    if not any(isinstance(series, Cells) for series in panel.series):
        _set_axis(axes, "x", panel.x)
        _set_axis(axes, "y", panel.y)


def _set_axis(axes: Axes, name: Literal["x", "y"], axis: Axis) -> None:
    drawn = getattr(axes, f"{name}axis")
    has_nothing = axis.scale == "log" and not np.isfinite(drawn.get_minpos())  # of which matplotlib finds no logarithm
    limits = axis.limits or ((1, 10) if has_nothing else None)
    if limits is not None:
        getattr(axes, f"set_{name}lim")(limits)
    getattr(axes, f"set_{name}scale")(axis.scale)
    if limits is None and axis.falling:
        getattr(axes, f"invert_{name}axis")()
    if axis.scale == "linear":
        drawn.set_major_locator(MaxNLocator(6, integer=axis.whole, steps=[1, 2, 2.5, 5, 10]))
        axes.ticklabel_format(axis=name, useMathText=True, scilimits=(-3, 5))
        drawn.offsetText.set(color=drawn.label.get_color(), fontsize=7)
        return
    low, high = sorted(drawn.get_view_interval())
    if high / low >= _TWO_DECADES:
        drawn.set_major_locator(LogLocator(numticks=7))
    else:
        drawn.set_major_locator(LogLocator(subs=(1, 2, 5)) if high / low >= _ONE_DECADE else MaxNLocator(5))
        drawn.set_major_formatter(_PLAIN)
    drawn.set_minor_formatter(NullFormatter())
    if high / low > _SEVERAL_DECADES:
        drawn.set_minor_locator(NullLocator())


def _draw_series(axes: Axes, series: Series, theme: Theme, colors: ScalarMappable, order: float) -> None:
    match series:
        case Line():
            marker = None if series.marker is None else _MARKERS[series.marker]
            axes.plot(
                series.x,
                series.y,
                color=theme.color(series.color),
                linewidth=series.width,
                linestyle=_DASHES[series.dash],
                alpha=series.opacity,
                marker=marker,
                markersize=4,
                zorder=order,
                solid_capstyle="round",
            )
        case Marks():
            _draw_marks(axes, series, theme, colors, order)
        case Band():
            axes.fill_between(
                series.x, series.low, series.high, color=theme.color(series.color), alpha=0.2, lw=0, zorder=order
            )
        case Cells():
            _draw_cells(axes, series, theme, colors)


def _draw_marks(axes: Axes, marks: Marks, theme: Theme, colors: ScalarMappable, order: float) -> None:
    color = colors.to_rgba(marks.values) if marks.values is not None else theme.color(marks.color)
    outline: dict[str, Any] = {"linewidths": 0.0}
    if marks.marker in _STROKES:
        outline = {"linewidths": 1.2}
    elif marks.outlined:
        outline = {"linewidths": 0.5, "edgecolors": theme.ink}
    axes.scatter(marks.x, marks.y, s=marks.size**2, c=color, marker=_MARKERS[marks.marker], zorder=order, **outline)


def _draw_cells(axes: Axes, cells: Cells, theme: Theme, colors: ScalarMappable) -> None:
    values = np.ma.masked_invalid(np.clip(cells.values, *colors.get_clim()))
    drawn = axes.pcolormesh(values, cmap=colors.cmap, edgecolors=theme.background, linewidth=1)
    drawn.set_norm(colors.norm)
    axes.set_xticks(np.arange(len(cells.columns)) + 0.5, cells.columns, rotation=45 if len(cells.columns) > 8 else 0)
    axes.set_yticks(np.arange(len(cells.rows)) + 0.5, cells.rows)
    axes.grid(visible=False)
    if cells.values.size > MOST_WRITTEN_CELLS:
        return
    for (row, column), text in np.ndenumerate(np.array(cells.texts)):
        if text:
            red, green, blue, _ = colors.to_rgba(values[row, column])
            color = "#1c1c1c" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else "#ffffff"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=color, fontsize=7)


def _add_color_bar(
    figure: Figure, scale: ColorScale | None, panels: list[Axes], theme: Theme, colors: ScalarMappable
) -> None:
    if scale is None:
        return
    bar = figure.colorbar(colors, ax=panels, aspect=30, pad=0.02)
    bar.set_label(scale.label, color=theme.ink)
    bar.ax.tick_params(which="both", colors=theme.ink, labelsize=7, width=0.5)
    if scale.scale == "log" and scale.high / scale.low < _TWO_DECADES:
        bar.ax.yaxis.set_major_formatter(_PLAIN)
        bar.ax.yaxis.set_minor_formatter(_PLAIN)
    bar.outline.set_visible(False)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]


def _add_legend(figure: Figure, picture: Picture, width: int, theme: Theme) -> None:
    handles = [_handle(entry, theme) for entry in layout.legend_of(picture)]
    if not handles:
        return
    legend = figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=layout.legend_columns(picture, width),
        fontsize=7.5,
        frameon=False,
        labelcolor=theme.ink,
        title=picture.legend_title or None,
        title_fontsize=7.5,
    )
    legend.get_title().set_color(theme.muted)


def _handle(entry: layout.LegendEntry, theme: Theme) -> Line2D:
    outlined = entry.dash is None and entry.marker not in _STROKES
    return Line2D(
        [],
        [],
        color=theme.color(entry.color),
        linestyle=_DASHES[entry.dash] if entry.dash else "",
        marker=_MARKERS[entry.marker] if entry.marker else None,
        markersize=5,
        markeredgecolor=theme.ink if outlined else None,
        markeredgewidth=0.5 if outlined else 1.2,
        label=entry.name,
    )
