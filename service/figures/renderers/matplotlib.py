"""Pictures as PNG and SVG, by matplotlib without pyplot.

Text is drawn as paths, so that an SVG looks the same where its font is missing. No date and no random id is written, so
that the same picture gives the same bytes.
"""

import io
from threading import Lock

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from service.figures import layout
from service.figures.extents import on_color_scale
from service.figures.layout import Size
from service.figures.picture import Picture
from service.figures.renderers import Style
from service.figures.renderers.matplotlib_paint import Paint, set_up
from service.figures.renderers.matplotlib_panels import draw_panel
from service.figures.renderers.matplotlib_series import DASHES, MARKERS, STROKES
from service.figures.themes import THEMES, Theme
from service.figures.ticks import ticks_of

set_up()

_INCH = 96
_MESSAGE_LETTER = 8.5
"""Width of a letter of a message, in its size."""
_drawing = Lock()
"""Matplotlib keeps caches of fonts and text that threads must not share."""


def as_png(picture: Picture, style: Style) -> bytes:
    """The picture as PNG."""
    file, metadata = io.BytesIO(), {"Title": picture.title, "Software": None}
    with _drawing:
        canvas = FigureCanvasAgg(_draw(picture, style))
        _lay_out(canvas, _INCH * style.scale)
        canvas.print_png(file, metadata=metadata)
    return file.getvalue()


def as_svg(picture: Picture, style: Style) -> bytes:
    """The picture as SVG."""
    file, metadata = io.BytesIO(), {"Title": picture.title, "Date": None, "Creator": "Rankward"}
    with _drawing:
        canvas = FigureCanvasSVG(_draw(picture, style))
        _lay_out(canvas, 72)
        canvas.print_svg(file, metadata=metadata)
    return file.getvalue()


def _lay_out(canvas: FigureCanvasBase, dpi: float) -> None:
    """Lay out once what is drawn once: `Figure.savefig` draws everything a second time for the layout."""
    figure = canvas.figure
    figure.dpi = dpi
    engine = figure.get_layout_engine()
    if figure.axes and engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


def _draw(picture: Picture, style: Style) -> Figure:
    theme, size = THEMES[style.theme], layout.size_of(picture, style.width)
    inches = (size.width / _INCH, size.height / _INCH)
    figure = Figure(figsize=inches, layout="constrained", facecolor=theme.background)
    if not picture.panels:
        message = "\n".join(layout.lines_of(picture.message, size.width, _MESSAGE_LETTER))
        figure.text(0.5, 0.5, message, ha="center", va="center", fontsize=11, color=theme.muted)
        return figure
    all_axes: list[Axes] = list(figure.subplots(size.rows, size.columns, squeeze=False).flat)
    paint = Paint.of(theme, picture.color_scale)
    for index, (axes, panel) in enumerate(zip(all_axes, picture.panels, strict=False)):
        draw_panel(axes, panel, size, paint)
        _label(axes, picture, size, index, theme)
    for unused in all_axes[len(picture.panels) :]:
        unused.set_axis_off()
    if picture.color_scale is not None:
        _add_color_bar(figure, all_axes, paint)
    _add_legend(figure, picture, size.width, theme)
    if picture.note:
        note = "\n".join(layout.lines_of(picture.note, size.width))
        figure.suptitle(note, x=0.01, ha="left", fontsize=7, color=theme.muted)
    return figure


def _label(axes: Axes, picture: Picture, size: Size, index: int, theme: Theme) -> None:
    title = "\n".join(layout.title_lines(picture.panels[index].title, size))
    axes.set_title(title, fontsize=layout.title_points(picture, size), color=theme.ink, loc="left")
    axes.set_xlabel("\n".join(layout.x_label(picture, size, index)), color=theme.ink)
    axes.set_ylabel("\n".join(layout.y_label(picture, size, index)), color=theme.ink)


def _add_color_bar(figure: Figure, panels: list[Axes], paint: Paint) -> None:
    ticks = ticks_of(paint.scale.scale, paint.scale.low, paint.scale.high)
    bar = figure.colorbar(paint.colors, ax=panels, aspect=30, pad=0.02)
    positions = on_color_scale(np.array(ticks.positions), paint.scale)
    bar.set_ticks(positions.tolist(), labels=ticks.factored_texts)
    bar.minorticks_off()
    bar.set_label(paint.scale.label, color=paint.theme.ink)
    bar.ax.tick_params(which="both", colors=paint.theme.ink, labelsize=7, width=0.5)
    bar.outline.set_visible(False)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]


def _add_legend(figure: Figure, picture: Picture, width: int, theme: Theme) -> None:
    entries = layout.legend_of(picture)
    if not entries:
        return
    legend = figure.legend(
        handles=[_handle(entry, theme) for entry in entries],
        labels=["\n".join(layout.legend_name(entry.name, width)) for entry in entries],
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
    outlined = entry.dash is None and entry.marker not in STROKES
    return Line2D(
        [],
        [],
        color=theme.color(entry.color),
        linestyle=DASHES[entry.dash] if entry.dash else "",
        marker=MARKERS[entry.marker] if entry.marker else None,
        markersize=5,
        markeredgecolor=theme.ink if outlined else None,
        markeredgewidth=0.5 if outlined else 1.2,
    )
