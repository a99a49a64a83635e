"""Widths of texts where every letter has one or two cells, as on terminals."""

import unicodedata

_IDEOGRAPHIC_SPACE = "\u3000"


def blanks_under(text: str) -> str:
    """Blanks as wide as a text: none for an accent that stands on the letter before, wide ones for CJK and emoji."""
    return "".join(map(_blank, text))


def _blank(letter: str) -> str:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return ""
    return _IDEOGRAPHIC_SPACE if unicodedata.east_asian_width(letter) in ("W", "F") else " "
