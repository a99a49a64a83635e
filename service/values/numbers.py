"""Numbers as JSON can carry them: a non-finite float travels as a string, never as null."""

import re
from collections.abc import Iterable
from math import inf, isfinite
from typing import Any, Literal

InfiniteWord = Literal["Infinity", "-Infinity"]

NAN = "NaN"
INFINITY: InfiniteWord = "Infinity"
MINUS_INFINITY: InfiniteWord = "-Infinity"
INFINITIES: dict[str, float] = {INFINITY: inf, MINUS_INFINITY: -inf}
"""Infinite floats by their words; databases, JSON, CSV and the where language spell them alike."""
NON_FINITE = (NAN, *INFINITIES)
"""The words of all floats that are not finite; Python's float() reads them, too."""


def word_of(value: float) -> str:
    """The word of a float that is not finite."""
    return NAN if value != value else INFINITY if value > 0 else MINUS_INFINITY


def spell(value: Any) -> Any:
    """The value itself, or its word for a non-finite float."""
    return word_of(value) if isinstance(value, float) and not isfinite(value) else value


def spell_all(values: Iterable[Any]) -> list[Any]:
    """`spell` over a column, in which None (how the database holds what is not a number) becomes "NaN"."""
    return [NAN if value is None else spell(value) for value in values]


NUMBER_PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
"""Texts that spell a number, for Python and PostgreSQL; longer exponents would be an error in the latter."""
_NUMBER = re.compile(NUMBER_PATTERN.removesuffix("$") + r"\Z")


def number_in(text: str | None) -> float | None:
    """The number that a text spells, finite or by its word; None where it spells none."""
    if text in INFINITIES:
        return INFINITIES[text]
    return None if text is None or not _NUMBER.match(text) else float(text)
