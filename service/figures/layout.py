"""Layout: how large a picture is, where its panels go and which labels are said once; the same for every renderer.

Lengths are CSS pixels, 96 to an inch.
"""

from dataclasses import dataclass
from itertools import chain
from math import ceil

from service.figures.picture import Cells, Color, Dash, Line, Marker, Marks, Picture
from service.figures.texts import letters, most_lines, wrapped

ONE_COLUMN, TWO_COLUMNS = 336, 672
"""Widths of one column and of a page of two: 3.5 and 7 inches."""

_USUAL_PANELS = {1: 480, 2: 350, 3: 300}
_SMALL_PANEL, _NARROWEST_PANEL = 235, 150
_ONE_ABOVE_THE_OTHER = 480
"""Width of a picture below which panels beside each other could not be read: that of a telephone, or of a column."""
_LOWEST, _HIGHEST = 120, 400
_SHAPE = 0.8
"""Height of a panel over its width, labels included."""
_AROUND, _COLOR_BAR, LEGEND_LINE = 50, 75, 17
LETTER, _SAMPLE = 6.4, 50
"""Of a name in the legend: the width of a letter, and of what stands beside it."""
_TITLE_POINTS, _SMALLEST_TITLE, _LETTER_OF_POINT = 8.5, 7.5, 0.75
TITLE_LINE, NOTE_LINE = 15, 14
_NOTE_ROOM = 30
_FEWEST_LETTERS = 8
"""Of a line, however little room there is."""


@dataclass(frozen=True)
class Size:
    """A picture's size, and the grid that its panels stand in, filled by rows.

    Attributes:
        panel_width, panel_height: of one panel with all its labels.
        legend_lines, title_lines, note_lines: of the legend, of the longest title of a panel, and of the note.
    """

    width: int
    height: int
    rows: int
    columns: int
    panel_width: float
    panel_height: float
    legend_lines: int
    title_lines: int
    note_lines: int


@dataclass(frozen=True)
class LegendEntry:
    """One name in the legend, and how what carries it looks."""

    name: str
    color: Color
    dash: Dash | None
    marker: Marker | None


def size_of(picture: Picture, width: int | None, narrowest: int = _NARROWEST_PANEL) -> Size:
    """The size of a picture that is `width` wide, or as wide as it likes to be; no panel beside others is narrower."""
    wished = min(picture.columns, max(1, len(picture.panels)))
    bar = _COLOR_BAR if picture.color_scale else 0
    if width is None:
        width = wished * _USUAL_PANELS.get(wished, _SMALL_PANEL) + _AROUND + bar
    room = width - bar
    columns = 1 if width < _ONE_ABOVE_THE_OTHER else max(1, min(wished, room // narrowest))
    rows = ceil(max(1, len(picture.panels)) / columns)
    across = room / columns
    titles = most_lines([panel.title for panel in picture.panels], _letters_in(_title_room(across)))
    high = min(max(_SHAPE * across, _LOWEST), _HIGHEST) + TITLE_LINE * max(0, titles - 1)
    legend, note = _legend_lines(picture, width), len(lines_of(picture.note, width))
    above = (_NOTE_ROOM + NOTE_LINE * (note - 1)) * bool(note)
    return Size(
        width, round(rows * high) + LEGEND_LINE * legend + above, rows, columns, across, high, legend, titles, note
    )


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
    widest = max(map(letters, names), default=0) * LETTER + _SAMPLE
    return max(1, min(len(names), int(width // widest)))


def legend_name(name: str, width: int) -> list[str]:
    """A name in the legend of a picture, as lines that fit it."""
    return lines_of(name, width - _SAMPLE)


def lines_of(text: str, room: float, letter: float = LETTER) -> list[str]:
    """The text as lines that fit into so much room, given the width of a letter; none of no text."""
    return wrapped(text, _letters_in(room, letter)) if text else []


def title_lines(title: str, size: Size) -> list[str]:
    """A panel's title as lines that fit above it."""
    return lines_of(title, _title_room(size.panel_width))


def title_points(picture: Picture, size: Size) -> float:
    """The size of panel titles in points, at which the longest one fits its panel, or two lines of it do."""
    longest = max((letters(panel.title) for panel in picture.panels), default=0)
    room = size.panel_width - _AROUND / 2
    return max(_SMALLEST_TITLE, min(_TITLE_POINTS, room / (_LETTER_OF_POINT * max(1, longest))))


def x_label(picture: Picture, size: Size, index: int) -> list[str]:
    """What a panel says of its x axis, as lines: nothing if the one below says the same."""
    return lines_of(picture.panels[index].x.label, size.panel_width - _AROUND) * shows_x_label(picture, size, index)


def y_label(picture: Picture, size: Size, index: int) -> list[str]:
    """What a panel says of its y axis, as lines: nothing if the one to its left says the same."""
    return lines_of(picture.panels[index].y.label, size.panel_height - 2 * _AROUND) * shows_y_label(
        picture, size, index
    )


def shows_x_label(picture: Picture, size: Size, index: int) -> bool:
    """Whether a panel says what its x axis is: not if the one below, and then all in sight, says the same."""
    below = index + size.columns
    return (
        size.columns == 1
        or below >= len(picture.panels)
        or picture.panels[below].x.label != picture.panels[index].x.label
    )


def shows_y_label(picture: Picture, size: Size, index: int) -> bool:
    """Whether a panel says what its y axis is: not if the one to its left says the same."""
    is_first = index % size.columns == 0
    return is_first or picture.panels[index - 1].y.label != picture.panels[index].y.label


def has_cells(picture: Picture) -> bool:
    """Whether a picture is a heat map."""
    return any(isinstance(series, Cells) for panel in picture.panels for series in panel.series)


def _legend_lines(picture: Picture, width: int) -> int:
    names = [entry.name for entry in legend_of(picture)]
    if not names:
        return 0
    longest = max(len(legend_name(name, width)) for name in names)
    return ceil(len(names) / legend_columns(picture, width)) * longest + bool(picture.legend_title)


def _title_room(panel_width: float) -> float:
    return panel_width - _AROUND / 2


def _letters_in(room: float, letter: float = LETTER) -> int:
    return max(_FEWEST_LETTERS, int(room // letter))
