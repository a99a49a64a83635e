"""Mistakes in a query: where they stand in its text."""

_WIDTH = 100


class QueryError(Exception):
    """A mistake at one character of a text.

    Attributes:
        position: of the character, counted from 0.
        detail: a sentence that says what to do.
    """

    def __init__(self, position: int, detail: str) -> None:
        super().__init__(detail)
        self.position = position
        self.detail = detail


def excerpt(text: str, position: int) -> str:
    """The text around a character on one line, and a line below it with a caret under that character."""
    start = max(0, position - _WIDTH // 2)
    shown = "".join(letter if letter.isprintable() else " " for letter in text[start : start + _WIDTH])
    return f"{shown}\n{' ' * (position - start)}^"
