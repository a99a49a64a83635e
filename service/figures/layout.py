"""Layout: how large a picture is, where its panels go and which labels are said once; the same for every renderer.

Lengths are CSS pixels, 96 to an inch.
"""

from dataclasses import dataclass
from itertools import chain
from math import ceil, floor, log10

from service.figures.picture import Cells, Color, Dash, Line, Marker, Marks, Picture

ONE_COLUMN, TWO_COLUMNS = 336, 672
"""Widths of one column and of a page of two: 3.5 and 7 inches."""

_USUAL_PANELS = {1: 480, 2: 350, 3: 300}
_SMALL_PANEL, _NARROWEST_PANEL = 235, 150
_LOWEST, _HIGHEST = 120, 400
_SHAPE = 0.8
"""Height of a panel over its width, labels included."""
_AROUND, _COLOR_BAR, LEGEND_LINE, _LETTER = 50, 75, 17, 5.0
MOST_COLOR_TICKS = 8


@dataclass(frozen=True)
class Size:
    """A picture's size, and the grid that its panels stand in, filled by rows."""

    width: int
    height: int
    rows: int
    columns: int
    legend_lines: int


@dataclass(frozen=True)
class LegendEntry:
    """One name in the legend, and how what carries it looks."""

    name: str
    color: Color
    dash: Dash | None
    marker: Marker | None


def size_of(picture: Picture, width: int | None) -> Size:
    """The size of a picture that is `width` wide, or as wide as it likes to be."""
    wished = min(picture.columns, max(1, len(picture.panels)))
    bar = _COLOR_BAR if picture.color_scale else 0
    if width is None:
        width = wished * _USUAL_PANELS.get(wished, _SMALL_PANEL) + _AROUND + bar
    room = width - bar
    columns = max(1, min(wished, room // _NARROWEST_PANEL))
    rows = ceil(max(1, len(picture.panels)) / columns)
    lines = _legend_lines(picture, width)
    panel = min(max(_SHAPE * room / columns, _LOWEST), _HIGHEST)
    return Size(width, round(rows * panel) + LEGEND_LINE * lines + 30 * bool(picture.note), rows, columns, lines)


def legend_of(picture: Picture) -> list[LegendEntry]:
    """What the legend says, each name once: runs in the order in which they are drawn, then what is said of them."""
    entries: dict[str, LegendEntry] = {}
    for series in chain.from_iterable(panel.series for panel in picture.panels):
        match series:
            case Line(name=name) if name:
                entries.setdefault(name, LegendEntry(name, series.color, series.dash, series.marker))
            case Marks(name=name) if name:
                color = "faint" if series.values is not None else series.color
                entries.setdefault(name, LegendEntry(name, color, None, series.marker))
            case _:
                pass
    return sorted(entries.values(), key=lambda entry: entry.color in ("ink", "alarm"))


def legend_columns(picture: Picture, width: int) -> int:
    """How many names of the legend stand beside each other."""
    names = [entry.name for entry in legend_of(picture)]
    widest = max((len(name) for name in names), default=0) * _LETTER + 46
    return max(1, min(len(names), int(width // widest)))


def shows_x_label(picture: Picture, size: Size, place: int) -> bool:
    """Whether a panel says what its x axis is: not if the one below says the same."""
    below = place + size.columns
    return below >= len(picture.panels) or picture.panels[below].x.label != picture.panels[place].x.label


def shows_y_label(picture: Picture, size: Size, place: int) -> bool:
    """Whether a panel says what its y axis is: not if the one to its left says the same."""
    is_first = place % size.columns == 0
    return is_first or picture.panels[place - 1].y.label != picture.panels[place].y.label


def has_cells(picture: Picture) -> bool:
    """Whether a picture is a heat map."""
    return any(isinstance(series, Cells) for panel in picture.panels for series in panel.series)


def decades(low: float, high: float) -> list[int]:
    """Exponents of the powers of ten from `low` to `high`, both positive, thinned to a handful."""
    exponents = list(range(ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9) + 1))
    return exponents[:: ceil(len(exponents) / MOST_COLOR_TICKS)] if exponents else []


def _legend_lines(picture: Picture, width: int) -> int:
    entries = len(legend_of(picture))
    return ceil(entries / legend_columns(picture, width)) + bool(picture.legend_title) if entries else 0
