"""Texts of people as they are typed: what a terminal would obey is shown, never sent."""

import unicodedata

_KEPT = "\u200c\u200d"
"""Joiners, which hold emoji and some scripts together and move nothing."""
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str) -> str:
    """A text in which control characters, line ends, and marks that turn the direction of writing stand as escapes.

    Examples: a line feed as `\\n`, an escape as `\\x1b`, a right-to-left override as `\\u202e`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _OBEYED:
        return character
    return _SHORT.get(character) or character.encode("unicode-escape", "surrogatepass").decode()


def visible_lines(text: str) -> str:
    """The same, with its line ends kept."""
    return "\n".join(map(visible, text.split("\n")))
