"""Texts of figures: as they are typed, on one line, no longer than a picture has room for, and still apart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from unicodedata import east_asian_width

from service.values.visible import visible

MOST_LETTERS = 80
"""Letters of a name in a picture; of a longer one the beginning and the end are kept."""
_OMISSION = "…"


def letters(text: str) -> int:
    """The width of a text in letters; those of East Asia and emoji count twice."""
    return len(text) if text.isascii() else sum(1 + (east_asian_width(letter) in "WF") for letter in text)


def short_names(names: Iterable[str]) -> Mapping[str, str]:
    """Each name as it is drawn: visible, short, and no two alike that were not."""
    different = list(dict.fromkeys(names))
    return dict(zip(different, apart(different), strict=True))


def apart(names: Iterable[str]) -> list[str]:
    """The names as they are drawn, visible and short; a number tells apart those that would be alike."""
    drawn: dict[str, None] = {}
    for name in names:
        short = shortened(visible(name))
        numbered = (f"{shortened(short, MOST_LETTERS - 6)} ({number})" for number in count(2))
        drawn[short if short not in drawn else next(one for one in numbered if one not in drawn)] = None
    return list(drawn)


def shortened(text: str, most: int = MOST_LETTERS) -> str:
    """A text of at most `most` letters (3 or more)."""
    if letters(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{_beginning(text, most - 1 - half)}{_OMISSION}{_beginning(text[::-1], half)[::-1]}"


def wrapped(text: str, most: int) -> list[str]:
    """The text's lines of at most `most` letters each (1 or more), broken at spaces where there are any."""
    lines: list[str] = []
    while letters(text) > most:
        line = _beginning(text, most) or text[0]
        space = line.rfind(" ")
        if space > 0 and text[len(line)] != " ":
            line = line[: space + 1]
        lines.append(line.rstrip(" "))
        text = text[len(line) :].lstrip(" ")
    return [*lines, text] if text or not lines else lines


def most_lines(texts: Sequence[str], most: int) -> int:
    """Lines of the text that has most of them; 0 of no text."""
    return max((len(wrapped(text, most)) for text in texts if text), default=0)


def _beginning(text: str, most: int) -> str:
    """As much of a text as has at most so many letters."""
    room = most
    for place, letter in enumerate(text):
        room -= letters(letter)
        if room < 0:
            return text[:place]
    return text
