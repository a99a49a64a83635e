"""Numbers of one column: as many digits as tell them apart."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

MOST_DIGITS = 17
"""A double has no more."""
SETTING = ".6g"

Text = TypeVar("Text", bound=str)
Write = Callable[[Any, int], Text]
"""Writes a value with a number of digits."""


def told_apart(values: Sequence[Any], form: str = SETTING) -> list[str]:
    """Plain texts of a column's values; numbers that are not equal do not look equal.

    Args:
        values: numbers, texts, and None for what is missing.
        form: format of floats, with its least digits: ".6g", ".2e", ".5f"; "d" of a column without floats.
    """

    def write(value: Any, digits: int) -> str:
        if digits == MOST_DIGITS and isinstance(value, float):
            return repr(value)  # all the digits there are, and no more
        return _text(value, f".{digits}{form[-1]}")

    return written_apart(values, write, int(form[1:-1] or MOST_DIGITS))


def written_apart(values: Sequence[Any], write: Write[Text], least: int) -> list[Text]:
    """Texts of values, where `least` digits make unequal values look equal with as many as tell these apart.

    Args:
        values: hashable.
    """
    sharers: defaultdict[Text, set[Any]] = defaultdict(set)
    for value in values:
        sharers[write(value, least)].add(value)
    longer = {value: text for group in sharers.values() for value, text in _longer(group, write, least)}
    return [longer.get(value) or write(value, least) for value in values]


def _longer(group: Collection[Any], write: Write[Text], least: int) -> Iterator[tuple[Any, Text]]:
    """Values that look equal with `least` digits, with texts of more digits; none for a single value."""
    unequal, texts = list(group), list[Text]()
    for digits in range(least + 1, MOST_DIGITS + 1) if len(unequal) > 1 else ():
        texts = [write(value, digits) for value in unequal]
        if len(set(texts)) == len(unequal):
            break
    yield from zip(unequal, texts, strict=False)


def _text(value: Any, form: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and form[-1] != "d":
        return format(value, form)
    return f"{value:,}" if isinstance(value, int) and form[-1] == "d" else str(value)
