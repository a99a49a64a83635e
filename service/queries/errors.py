"""Mistakes in a query, with their positions in its text."""

import unicodedata

_WIDTH = 100


class QueryError(Exception):
    """A mistake at a character of a text.

    Attributes:
        position: index of the character, from 0.
        detail: a sentence of advice.
    """

    def __init__(self, position: int, detail: str) -> None:
        super().__init__(detail)
        self.position = position
        self.detail = detail


def excerpt(text: str, position: int) -> str:
    """A line of text around a character, and a second line with a caret under it."""
    start = max(0, position - _WIDTH // 2)
    shown = "".join(letter if letter.isprintable() else " " for letter in text[start : start + _WIDTH])
    return f"{shown}\n{''.join(map(_space, shown[: position - start]))}^"


def _space(letter: str) -> str:
    """What is as wide as a letter: nothing for an accent that stands on the one before, twice as much for CJK."""
    if unicodedata.category(letter) in ("Mn", "Me"):
        return ""
    return "\u3000" if unicodedata.east_asian_width(letter) in ("W", "F") else " "
