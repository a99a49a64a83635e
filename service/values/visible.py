"""Texts of people as they are typed: what a terminal would obey is shown, never sent."""

import unicodedata

_KEPT = "\u200c\u200d"
"""Joiners, which hold emoji and some scripts together and move nothing."""
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str) -> str:
    """A text in which control characters, line ends, and marks that turn the direction of writing stand as escapes.

    Numbers that Unicode keeps free of characters do so, too: XML and others refuse them.

    Examples: a line feed as `\\n`, an escape as `\\x1b`, a right-to-left override as `\\u202e`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    is_obeyed = unicodedata.category(character) in _OBEYED or _is_no_character(ord(character))
    if character in _KEPT or not is_obeyed:
        return character
    return _SHORT.get(character) or character.encode("unicode-escape", "surrogatepass").decode()


def _is_no_character(number: int) -> bool:
    return number & 0xFFFE == 0xFFFE or 0xFDD0 <= number <= 0xFDEF


def visible_lines(text: str) -> str:
    """The same, with its line ends kept."""
    return "\n".join(map(visible, text.split("\n")))
