"""What matplotlib paints with: the theme, the colour scale, and the fonts that are there."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.font_manager import fontManager

from service.figures.extents import on_color_scale
from service.figures.picture import Array, ColorScale
from service.figures.themes import Theme

_FURTHER_FONTS = (
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans JP",
    "Noto Sans KR",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "Noto Emoji",
    "Symbola",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Segoe UI Symbol",
    "Arial Unicode MS",
    "Last Resort High-Efficiency",
)
"""Fonts with outlines that have the letters which DejaVu lacks; the last one, of matplotlib, a box for any."""


def set_up() -> None:
    """Settings of matplotlib for all pictures of this process."""
    there_are = {font.name for font in fontManager.ttflist}
    mpl.rcParams.update(
        {
            "svg.hashsalt": "rankward",
            "svg.fonttype": "path",
            "font.family": ["DejaVu Sans", *(name for name in _FURTHER_FONTS if name in there_are)],
            "font.size": 8,
            "axes.linewidth": 0.6,
            "text.parse_math": False,  # a dollar in a name is a dollar
        }
    )


@dataclass(frozen=True, eq=False)
class Paint:
    """The colours of one picture."""

    theme: Theme
    scale: ColorScale
    colors: ScalarMappable

    @classmethod
    def of(cls, theme: Theme, scale: ColorScale | None) -> "Paint":
        """The colours of a theme, and those of a colour scale if the picture has one."""
        scale = scale or ColorScale("", 0, 1)
        colormap = LinearSegmentedColormap.from_list("sequence", theme.sequence)
        norm = Normalize(*on_color_scale(np.array([scale.low, scale.high]), scale))
        return cls(theme, scale, ScalarMappable(norm, colormap))

    def shades(self, values: Array) -> Array:
        """Colours of values (any shape) on the colour scale, (..., 4); see-through for what is not a number."""
        return self.colors.to_rgba(on_color_scale(values, self.scale))
