"""Texts of people on pages: as they were typed, apart from their surroundings, and nothing that is obeyed.

Every text that a template prints goes through `shown_plain`, so that none can turn the line around or hide in it. What
a form sends back is `exact`.
"""

import unicodedata
from typing import Any

from markupsafe import Markup, escape

from service.values.visible import visible, visible_lines

UNNAMED = "unnamed"
_UNSEEN = "\u034f\u115f\u1160\u2800\u3164\uffa0"
"""Letters without ink, by their category like any other."""
_FIRST_STRONG, _END = "\u2068", "\u2069"
"""Isolate what stands between them where there are no elements (UAX 9)."""


def shown_plain(value: Any) -> Any:
    """What a template prints of a value: of a text that is not markup, with control characters as escapes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def exact(text: str) -> Markup:
    """A text as it is, for fields that are sent back; those of one line take no line ends."""
    return escape(text.replace("\r\n", " ").replace("\n", " ").replace("\r", " "))


def exact_lines(text: str) -> Markup:
    """A text as it is, for a field of several lines."""
    return _kept(escape(text))


def typed(text: str) -> Markup:
    """A text of a person as an element that its direction of writing does not leave."""
    return Markup("<bdi>{}</bdi>").format(_inked(text))


def name_of(text: str) -> Markup:
    """A name as an element; a word for none."""
    return typed(text) if text else escape(UNNAMED)


def plain_name(text: str, without: str = UNNAMED) -> str:
    """A name for titles and labels, which take no elements; isolated where it is written from right to left."""
    shown = _inked(text) or without
    is_turned = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in shown)
    return Markup("{}{}{}").format(_FIRST_STRONG, shown, _END) if is_turned else shown


def lines(text: str) -> Markup:
    """A text of several lines, for an element that keeps them."""
    return _kept(escape(visible_lines(text.replace("\r\n", "\n"))))


def _kept(text: Markup) -> Markup:
    """HTML drops a line end that begins such an element: one more before it."""
    return Markup("\n") + text if text.startswith("\n") else text


def _inked(text: str) -> str:
    """A text in which something can be seen: of blanks alone, their escapes."""
    if text and all(_is_blank(letter) for letter in text):
        return "".join(f"\\u{ord(letter):04x}" if ord(letter) < 2**16 else f"\\U{ord(letter):08x}" for letter in text)
    return visible(text)


def _is_blank(letter: str) -> bool:
    return letter in _UNSEEN or unicodedata.category(letter) in ("Zs", "Mn", "Cf")
