"""Panels on matplotlib's axes: limits, ticks, what lies on them and what is said of them.

Nothing is left to matplotlib's locators and formatters, which cannot tick all floats.
"""

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

from service.figures import layout
from service.figures.extents import extent_of
from service.figures.layout import Size
from service.figures.picture import Axis, Cells, Panel
from service.figures.renderers.matplotlib_paint import Paint
from service.figures.renderers.matplotlib_series import draw_series
from service.figures.themes import Theme
from service.figures.ticks import ticks_of, times_power_of_ten, within_decades

_SEVERAL_DECADES = 3e5
"""Of a logarithmic axis: beyond these, ticks between powers of ten are a blur (and cost more than the lines)."""
_TEXT_ROOM = 60
"""Of a panel's width, what a sentence on it leaves free."""


def draw_panel(axes: Axes, panel: Panel, size: Size, paint: Paint) -> None:
    """Draw a panel; its title and the labels of its axes are not part of it."""
    _set_looks(axes, paint.theme)
    if not any(isinstance(series, Cells) for series in panel.series):
        _set_axis(axes, "x", panel)
        _set_axis(axes, "y", panel)
    for order, series in enumerate(panel.series):
        draw_series(axes, series, paint, 2 + order / 1000)
    for artist in (*axes.lines, *axes.collections):
        artist.set_in_layout(False)  # clipped to the panel, whose place does not depend on them
    _say(axes, panel, size, paint.theme)


def _set_looks(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.background)
    axes.set_axisbelow(True)
    axes.grid(color=theme.grid, linewidth=0.6)
    axes.tick_params(colors=theme.ink, labelsize=7, width=0.6, length=2.5)
    axes.tick_params(which="minor", width=0.4, length=1.5, color=theme.ink)
    for side, spine in axes.spines.items():
        spine.set_color(theme.ink)
        spine.set_visible(side in ("left", "bottom"))


def _set_axis(axes: Axes, name: Literal["x", "y"], panel: Panel) -> None:
    axis: Axis = getattr(panel, name)
    low, high = extent_of(axis, panel.values_on(name))
    getattr(axes, f"set_{name}scale")(axis.scale)
    getattr(axes, f"set_{name}lim")((high, low) if axis.falling else (low, high))
    drawn = getattr(axes, f"{name}axis")
    drawn.set_minor_formatter(NullFormatter())
    ticks = ticks_of(axis.scale, low, high, axis.whole)
    formatter = FixedFormatter([] if panel.is_empty else list(ticks.texts))
    formatter.set_offset_string(times_power_of_ten(ticks.power) if ticks.power else "")
    drawn.set_major_locator(FixedLocator([] if panel.is_empty else list(ticks.positions)))
    drawn.set_major_formatter(formatter)
    drawn.offsetText.set(color=drawn.label.get_color(), fontsize=7)
    is_fine = axis.scale == "log" and not panel.is_empty and high / low <= _SEVERAL_DECADES
    drawn.set_minor_locator(FixedLocator(within_decades(low, high, range(1, 10)) if is_fine else []))


def _say(axes: Axes, panel: Panel, size: Size, theme: Theme) -> None:
    """Why a panel is empty, in its middle; what else there is to be said of it at its upper end."""
    said = "\n".join(layout.lines_of(panel.said, size.panel_width - _TEXT_ROOM))
    y, up = (0.5, "center") if panel.is_empty else (0.98, "top")
    if said:
        axes.text(0.5, y, said, ha="center", va=up, transform=axes.transAxes, fontsize=7, color=theme.muted, zorder=4)
