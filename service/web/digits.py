"""Numbers of one table: as many digits as tell them apart."""

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from service.values.digits import written_apart
from service.web.formats import DIGITS, number


def told_apart(values: Iterable[Any]) -> list[Markup]:
    """Values of a column, or of columns that are read together; numbers that are not equal do not look equal.

    Args:
        values: numbers, the words of those that are not finite, and None for what is absent.
    """
    return written_apart(list(values), number, DIGITS)


def spreads(items: Sequence[Any]) -> list[tuple[Markup, ...]]:
    """Least value, quartiles and greatest one of each summary; None, or one without values, has dashes."""
    rows = [
        (summary.min, *(summary.quartiles or (None, None, None)), summary.max) if summary else (None,) * 5
        for summary in items
    ]
    texts = iter(told_apart(value for row in rows for value in row))
    return [tuple(next(texts) for _ in row) for row in rows]
