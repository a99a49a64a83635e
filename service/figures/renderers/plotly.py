"""Pictures as Plotly figures: plain JSON of its schema, so that the API loads no Plotly (tests hold it to the schema).

Backgrounds are transparent and colours those of the theme. Where colours are on a logarithmic scale, `marker.color` has
the logarithms and `customdata` the values. What is not a number is null, which Plotly leaves out.
"""

import numpy as np
import orjson

from service.figures import layout
from service.figures.picture import Picture
from service.figures.renderers import Style
from service.figures.renderers.plotly_axes import axes_of, color_axis
from service.figures.renderers.plotly_grid import LEFT, Grid
from service.figures.renderers.plotly_texts import escaped, lines
from service.figures.renderers.plotly_traces import Json, legend_trace, traces_of
from service.figures.themes import THEMES, Theme

_LETTER, _LETTER_OF_MESSAGE = 7.0, 9.8
"""Widths of a letter of a sentence on a panel, and of a message in place of panels."""
_UNDER_LABELS = 4
"""Room between the labels of x axes and the legend."""
_CLEAR = "rgba(0,0,0,0)"


def as_json(picture: Picture, style: Style) -> bytes:
    """The picture as a Plotly figure."""
    return orjson.dumps(as_figure(picture, style), default=np.ndarray.tolist, option=orjson.OPT_SERIALIZE_NUMPY)


def as_figure(picture: Picture, style: Style) -> Json:
    """The Plotly figure as plain values and arrays: `data` and `layout`."""
    theme, grid = THEMES[style.theme], Grid.of(picture, style.width)
    entries = layout.legend_of(picture)
    data = [trace for index, panel in enumerate(picture.panels) for trace in traces_of(panel, index, picture, theme)]
    return {
        "data": [*data, *(legend_trace(entry, grid.size.width, theme) for entry in entries)],
        "layout": _layout(picture, grid, style),
    }


def _layout(picture: Picture, grid: Grid, style: Style) -> Json:
    theme = THEMES[style.theme]
    laid_out: Json = {
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": {"color": theme.ink, "size": 12},
        "height": grid.height,
        "margin": grid.margin,
        "showlegend": bool(grid.size.legend_lines),
        "legend": _legend(picture, grid),
        "hovermode": "closest",
        "meta": {"title": picture.title, "note": picture.note, "message": picture.message, **picture.meta},
        "annotations": _annotations(picture, grid, theme),
    }
    if style.width is not None:
        laid_out["width"] = style.width
    if picture.note:
        laid_out["title"] = _note(picture.note, grid, theme)
    if picture.color_scale is not None:
        laid_out["coloraxis"] = color_axis(picture.color_scale, grid.size, theme)
    for index in range(len(picture.panels)):
        laid_out |= axes_of(picture, index, grid, theme)
    return laid_out


def _note(note: str, grid: Grid, theme: Theme) -> Json:
    at: Json = {"x": 0.01, "xanchor": "left", "y": 1, "yanchor": "top", "yref": "container", "pad": {"t": 14}}
    return {"text": lines(layout.lines_of(note, grid.size.width)), "font": {"size": 11, "color": theme.muted}, **at}


def _legend(picture: Picture, grid: Grid) -> Json:
    return {
        "orientation": "h",
        "x": 0.5,
        "xanchor": "center",
        "y": -(grid.under_panels + _UNDER_LABELS) / grid.inside,
        "yanchor": "top",
        "title": {"text": escaped(picture.legend_title), "side": "top"},
    }


def _annotations(picture: Picture, grid: Grid, theme: Theme) -> list[Json]:
    """Titles of panels, and what is said on them or in place of them."""
    plain: Json = {"showarrow": False, "xref": "paper", "yref": "paper"}
    muted: Json = {"size": 12, "color": theme.muted}
    if not picture.panels:
        text = lines(layout.lines_of(picture.message, grid.size.width, _LETTER_OF_MESSAGE))
        return [{**plain, "text": text, "x": 0.5, "y": 0.5, "font": {**muted, "size": 16}}]
    said: list[Json] = []
    for index, panel in enumerate(picture.panels):
        (left, right), (bottom, top) = grid.domains(index)
        title = lines(layout.title_lines(panel.title, grid.size))
        above = {"x": left, "y": top, "xanchor": "left", "yanchor": "bottom", "align": "left", "font": {"size": 13}}
        said.append({**plain, **above, "text": title})
        height = {"y": (bottom + top) / 2} if panel.is_empty else {"y": top, "yanchor": "top"}
        text = lines(layout.lines_of(panel.said, grid.size.panel_width - LEFT, _LETTER))
        said.append({**plain, **height, "x": (left + right) / 2, "text": text, "font": muted})
    return [annotation for annotation in said if annotation["text"]]
