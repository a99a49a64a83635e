"""Texts of figures: as they are typed, on one line, no longer than a picture has room for, and still apart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from unicodedata import east_asian_width

from service.values.visible import visible

MOST_LETTERS, MOST_OF_CELLS = 80, 24
"""Letters of a name in a picture, and beside a heat map; of a longer one the beginning and the end are kept."""
_NUMBER = 6
"""Letters that a number behind a name takes."""
_OMISSION = "…"
_OF_WIDE = 1.4


def letters(text: str) -> float:
    """The width of a text in letters of usual width; those of East Asia and emoji count twice."""
    return sum(map(_width, text))


def _width(letter: str) -> float:
    if east_asian_width(letter) in "WF":
        return 2.0
    return _OF_WIDE if letter.isupper() or letter in "mw@%" else 1.0


def short_names(names: Iterable[str]) -> Mapping[str, str]:
    """Each name as it is drawn: visible, short, and no two alike that were not."""
    different = list(dict.fromkeys(names))
    return dict(zip(different, apart(different), strict=True))


def apart(names: Iterable[str], most: int = MOST_LETTERS) -> list[str]:
    """The names as they are drawn, visible and short; a number tells apart those that would be alike."""
    drawn: dict[str, None] = {}
    for name in names:
        short = shortened(visible(name), most)
        numbered = (f"{shortened(short, most - _NUMBER)} ({number})" for number in count(2))
        drawn[short if short not in drawn else next(candidate for candidate in numbered if candidate not in drawn)] = (
            None
        )
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
    room = float(most)
    for length, letter in enumerate(text):
        room -= _width(letter)
        if room < 0:
            return text[:length]
    return text
