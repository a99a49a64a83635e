"""Mistakes in a query, with their positions in its text."""

from service.values.widths import blanks_under

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
    return f"{shown}\n{blanks_under(shown[: position - start])}^"
