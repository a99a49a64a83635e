"""Where the panels of a Plotly figure stand, and the room around and between them."""

from collections.abc import Callable
from dataclasses import dataclass

from service.figures import layout
from service.figures.layout import Size
from service.figures.picture import Picture

LEFT = 62
"""Room for the ticks and one line of the labels of y axes; sentences on a panel leave as much free."""
_RIGHT, _TOP, _BOTTOM, _BETWEEN_COLUMNS, _BETWEEN_ROWS = 14, 30, 46, 58, 62
_HIGHER, _NOTE = 40, 22
"""What a figure is higher than a picture, and the room for a note of one line."""
_NARROWEST_PANEL = 220
"""Of panels beside each other: letters are larger than in print."""

Ends = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """The grid of a figure, in pixels.

    Attributes:
        height: of the figure.
        left, above, below: margins around all panels; the one below has the legend.
        under_panels: the part of `below` that has the ticks and labels of x axes.
    """

    size: Size
    height: int
    left: int
    above: int
    below: int
    under_panels: int

    @classmethod
    def of(cls, picture: Picture, width: int | None) -> "Grid":
        """The grid of a picture that is so wide, or as wide as it likes to be."""
        size = layout.size_of(picture, width, _NARROWEST_PANEL)
        note = (_NOTE + layout.NOTE_LINE * (size.note_lines - 1)) * bool(picture.note)
        under_panels = _BOTTOM + _further(_most_lines(picture, size, layout.x_label))
        return cls(
            size,
            size.height + _HIGHER,
            LEFT + _further(_most_lines(picture, size, layout.y_label)),
            _TOP + _further(size.title_lines) + note,
            under_panels + layout.LEGEND_LINE * (size.legend_lines + bool(size.legend_lines)),
            under_panels,
        )

    @property
    def margin(self) -> dict[str, int]:
        """The margins in Plotly's words."""
        return {"l": self.left, "r": _RIGHT, "t": self.above, "b": self.below}

    @property
    def inside(self) -> int:
        """The height of all panels together."""
        return max(1, self.height - self.above - self.below)

    def domains(self, index: int) -> tuple[Ends, Ends]:
        """Where a panel stands, in fractions of the area of all: (left, right), (bottom, top)."""
        row, column = divmod(index, self.size.columns)
        between_columns = _BETWEEN_COLUMNS + self.left - LEFT
        between_rows = _BETWEEN_ROWS + _further(self.size.title_lines)
        across = _share(column, self.size.columns, between_columns / max(1, self.size.width - self.left - _RIGHT))
        return across, _share(self.size.rows - 1 - row, self.size.rows, between_rows / self.inside)


def _share(index: int, count: int, gap: float) -> Ends:
    gap = min(gap, 0.5 / count)
    extent = (1 - gap * (count - 1)) / count
    start = index * (extent + gap)
    return round(start, 6), round(min(1.0, start + extent), 6)


def _most_lines(picture: Picture, size: Size, label: Callable[[Picture, Size, int], list[str]]) -> int:
    return max((len(label(picture, size, index)) for index in range(len(picture.panels))), default=1)


def _further(lines: int) -> int:
    """Room for the lines after the first."""
    return layout.TITLE_LINE * max(0, lines - 1)
