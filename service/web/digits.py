"""Numbers of one table: as many digits as tell them apart."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from service.web.formats import DIGITS, number

MOST_DIGITS = 17
"""A double has no more."""


def told_apart(values: Iterable[Any]) -> list[Markup]:
    """Values of a column, or of columns that are read together; numbers that are not equal do not look equal.

    Args:
        values: numbers, the words of those that are not finite, and None for what is absent.
    """
    given = list(values)
    sharers: defaultdict[Markup, set[Hashable]] = defaultdict(set)
    for value in given:
        sharers[number(value)].add(value)
    longer = {value: text for group in sharers.values() if len(group) > 1 for value, text in _longer(group).items()}
    return [longer.get(value) or number(value) for value in given]


def spreads(items: Sequence[Any]) -> list[tuple[Markup, ...]]:
    """Least value, quartiles and greatest one of each summary; None, or one without values, has dashes."""
    rows = [(one.min, *(one.quartiles or (None, None, None)), one.max) if one else (None,) * 5 for one in items]
    texts = iter(told_apart(value for row in rows for value in row))
    return [tuple(next(texts) for _ in row) for row in rows]


def _longer(values: Iterable[Any]) -> Mapping[Any, Markup]:
    unequal = list(values)
    for digits in range(DIGITS + 1, MOST_DIGITS):
        texts = [number(value, digits) for value in unequal]
        if len(set(texts)) == len(texts):
            break
    else:
        texts = [number(value, MOST_DIGITS) for value in unequal]
    return dict(zip(unequal, texts, strict=True))
