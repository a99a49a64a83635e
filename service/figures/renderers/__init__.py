"""Renderers: a picture as PNG or SVG by matplotlib, as JSON for Plotly. Loaded when the first figure is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from service.figures.fitting import fitted
from service.figures.picture import Picture
from service.figures.themes import ThemeName

Format = Literal["png", "svg", "json"]
MEDIA_TYPES: dict[Format, str] = {"png": "image/png", "svg": "image/svg+xml", "json": "application/json"}
PNG_SCALE = 2
"""Pixels of a PNG per unit of width, unless asked otherwise: sharp in print and on dense screens."""


@dataclass(frozen=True)
class Style:
    """How a picture is to be drawn.

    Attributes:
        width: in CSS pixels, 96 to an inch; None for the picture's own.
        scale: pixels of a PNG for each of them.
    """

    width: int | None = None
    theme: ThemeName = "light"
    scale: float = PNG_SCALE


def render(picture: Picture, format: Format, style: Style) -> bytes:
    """The content of the file; the same picture and style give the same bytes."""
    return _renderer(format)(fitted(picture), style)


def _renderer(format: Format) -> Callable[[Picture, Style], bytes]:
    if format == "json":
        from service.figures.renderers import plotly

        return plotly.as_json
    from service.figures.renderers import matplotlib

    return matplotlib.as_png if format == "png" else matplotlib.as_svg
