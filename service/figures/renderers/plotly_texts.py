"""Texts for Plotly, which reads some of HTML in every text: what looks like it is written so that it is shown."""

import re
from collections.abc import Sequence

_TAG = re.compile(r"<(?=[^<>]*>)")
_ENTITY = re.compile(r"&(?=(?:#\d+|#x[\da-fA-F]+|[a-z]+);)")


def escaped(text: str) -> str:
    """A text that Plotly shows as it is typed: an ampersand or an angle bracket is an entity where it would be read."""
    return _TAG.sub("&lt;", _ENTITY.sub("&amp;", text))


def lines(texts: Sequence[str]) -> str:
    """Texts below each other."""
    return "<br>".join(map(escaped, texts))
