"""Numbers as JSON can carry them: a non-finite float travels as a string, never as null."""

from collections.abc import Iterable
from math import isfinite
from typing import Any


def spell(value: Any) -> Any:
    """The value itself, or "NaN", "Infinity", "-Infinity" for a non-finite float."""
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def spell_all(values: Iterable[Any]) -> list[Any]:
    """`spell` over a column, in which None (how the database holds what is not a number) becomes "NaN"."""
    return ["NaN" if value is None else spell(value) for value in values]
