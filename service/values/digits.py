"""Numbers of one column: as many digits as tell them apart."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

MOST_DIGITS = 17
"""A double has no more."""
SETTING = ".6g"


def told_apart(values: Sequence[Any], form: str = SETTING) -> list[str]:
    """Texts of a column's values; numbers that are not equal do not look equal.

    Args:
        values: numbers, texts, and None for what is missing.
        form: format of floats, with its least digits: ".6g", ".2e", ".5f".
    """
    sharers: defaultdict[str, set[Any]] = defaultdict(set)
    for value in values:
        sharers[_text(value, form)].add(value)
    longer = {value: text for group in sharers.values() if len(group) > 1 for value, text in _longer(group, form)}
    return [longer.get(value) or _text(value, form) for value in values]


def _longer(values: Iterable[Any], form: str) -> list[tuple[Any, str]]:
    numbers = sorted(value for value in values if isinstance(value, float))
    for digits in range(int(form[1:-1]) + 1, MOST_DIGITS + 1):
        texts = [format(number, f".{digits}{form[-1]}") for number in numbers]
        if len(set(texts)) == len(numbers):
            return list(zip(numbers, texts, strict=True))
    return [(number, repr(number)) for number in numbers]


def _text(value: Any, form: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and form[-1] != "d":
        return format(value, form)
    return f"{value:,}" if isinstance(value, int) and form[-1] == "d" else str(value)
