"""Pictures: what a figure shows, without any library's words. Kinds write them, renderers draw them."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Scale = Literal["linear", "log"]
Dash = Literal["solid", "dash", "dot", "dashdot"]
Marker = Literal["circle", "square", "triangle", "diamond", "down", "star", "pentagon", "hexagon", "plus", "cross"]
Role = Literal["ink", "faint", "alarm"]

DASHES: tuple[Dash, ...] = ("solid", "dash", "dot", "dashdot")
MARKERS: tuple[Marker, ...] = ("circle", "square", "triangle", "diamond", "down", "star", "pentagon", "hexagon")
"""Markers that tell things apart; a plus and a cross point at something."""


@dataclass(frozen=True)
class Shade:
    """A colour of the sequential scale, from 0 (dark) to 1 (bright)."""

    fraction: float


Color = int | Role | Shade
"""The n-th colour of the categorical palette, a colour by its role, or one of the sequential scale."""


@dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Attributes:
        falling: values fall along it, as a loss does.
        limits: its first and last value, None to fit what is drawn.
        whole: its ticks are whole numbers.
        said: why it is not the axis that a reader expects, as a sentence.
    """

    label: str
    scale: Scale = "linear"
    falling: bool = False
    limits: tuple[float, float] | None = None
    whole: bool = False
    said: str = ""


@dataclass(frozen=True, eq=False)
class Line:
    """Points (points,) joined by a line, with a gap where y is NaN or infinite.

    Attributes:
        name: its entry in the legend, shared by all that carry the same one; none when empty.
        about: what it is, for whoever points at it.
    """

    x: Array
    y: Array
    color: Color = "ink"
    name: str = ""
    about: str = ""
    dash: Dash = "solid"
    width: float = 1.2
    opacity: float = 1.0
    marker: Marker | None = None


@dataclass(frozen=True, eq=False)
class Marks:
    """Points (points,) on their own; with `values` (points,) each is coloured by the picture's colour scale."""

    x: Array
    y: Array
    values: Array | None = None
    color: Color = "ink"
    name: str = ""
    about: str = ""
    marker: Marker = "circle"
    size: float = 4.0
    outlined: bool = False


@dataclass(frozen=True, eq=False)
class Band:
    """The area between `low` and `high` (points,), with a gap where either is NaN or infinite."""

    x: Array
    low: Array
    high: Array
    color: Color


@dataclass(frozen=True, eq=False)
class Cells:
    """A heat map coloured by the picture's colour scale.

    Attributes:
        values: (rows, columns), the first row lowest; NaN where there is nothing. What is infinite has the colour at
            the end of the scale.
        rows, columns: what each stands for.
    """

    values: Array
    rows: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def texts(self) -> list[list[str]]:
        """What is written in each cell, by row: nothing where there is nothing."""
        return [["" if np.isnan(value) else f"{value:.3g}".replace("inf", "∞") for value in row] for row in self.values]


Series = Line | Marks | Band | Cells


@dataclass(frozen=True)
class Panel:
    """One pair of axes and what is drawn on it, the last on top.

    Attributes:
        said: why it is empty, or why an axis is not the one that a reader expects; `fitting` writes it.
        is_empty: whether nothing on it has a position; `fitting` finds out.
    """

    x: Axis
    y: Axis
    series: tuple[Series, ...] = ()
    title: str = ""
    said: str = ""
    is_empty: bool = False

    def values_on(self, name: Literal["x", "y"]) -> Array:
        """All numbers that lines, marks and bands have on one of the axes, (n,)."""
        values: list[Array] = [np.empty(0)]
        for series in self.series:
            match series:
                case Line() | Marks():
                    values.append(series.x if name == "x" else series.y)
                case Band():
                    values += [series.x] if name == "x" else [series.low, series.high]
                case Cells():
                    pass
        return np.concatenate(values)


@dataclass(frozen=True)
class ColorScale:
    """What the sequential colours stand for."""

    label: str
    low: float
    high: float
    scale: Scale = "linear"


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        title: what it shows; said to those who cannot see it, not drawn.
        columns: panels beside each other where there is room.
        legend_title: what the names in the legend stand for.
        note: what a reader must know of what is not drawn.
        message: drawn in place of panels, when there are none.
        meta: facts for programs.
    """

    title: str
    panels: tuple[Panel, ...] = ()
    columns: int = 3
    color_scale: ColorScale | None = None
    legend_title: str = ""
    note: str = ""
    message: str = ""
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
