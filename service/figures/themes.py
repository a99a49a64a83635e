"""Colours: categorical ones that stay apart for colour-blind readers (Okabe and Ito 2008), and viridis."""

from dataclasses import dataclass
from typing import Literal

from service.figures.picture import Color, Shade

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True)
class Theme:
    """The colours of a figure, as #rrggbb.

    Attributes:
        ink: text, axes and what theory says.
        faint: lines that only lead the eye.
        palette: categorical colours in the order of use.
        sequence: equidistant stops of the sequential scale (viridis, cut where it would vanish in the background).
    """

    background: str
    ink: str
    muted: str
    faint: str
    grid: str
    alarm: str
    palette: tuple[str, ...]
    sequence: tuple[str, ...]

    def color(self, color: Color) -> str:
        """A colour of a picture in this theme."""
        match color:
            case Shade(fraction=fraction):
                return self._shade(fraction)
            case int():
                return self.palette[color % len(self.palette)]
            case _:
                return {"ink": self.ink, "faint": self.faint, "alarm": self.alarm}[color]

    def _shade(self, fraction: float) -> str:
        position = min(max(fraction, 0.0), 1.0) * (len(self.sequence) - 1)
        low = min(int(position), len(self.sequence) - 2)
        mixed = (
            round(a + (b - a) * (position - low))
            for a, b in zip(channels(self.sequence[low]), channels(self.sequence[low + 1]), strict=True)
        )
        return "#" + "".join(f"{channel:02x}" for channel in mixed)


def channels(color: str) -> tuple[int, ...]:
    """Red, green and blue of a colour #rrggbb, each from 0 to 255."""
    return tuple(int(color[start : start + 2], 16) for start in (1, 3, 5))


_VIRIDIS = (
    "#440154",
    "#482878",
    "#3e4989",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
)

THEMES: dict[ThemeName, Theme] = {
    "light": Theme(
        background="#ffffff",
        ink="#1c1c1c",
        muted="#6b6b6b",
        faint="#c4c4c4",
        grid="#ebebeb",
        alarm="#d81b3c",
        palette=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#000000", "#e69f00"),
        sequence=(*_VIRIDIS[:-1], "#dce319"),
    ),
    "dark": Theme(
        background="#15181d",
        ink="#e8e8e8",
        muted="#a0a6ad",
        faint="#565c64",
        grid="#2a2f36",
        alarm="#ff5c77",
        palette=("#56b4e9", "#ff9d4d", "#2fc79a", "#e79ac6", "#f0e442", "#7f9cff", "#ffffff", "#e69f00"),
        sequence=("#5b3b8c", "#4a5fa8", "#3c7cab", *_VIRIDIS[4:]),
    ),
}
