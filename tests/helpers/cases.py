"""Cases of a test that are fewer than all combinations."""

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import Any


def in_turn(values: Sequence[Any], *axes: Collection[Any]) -> Iterator[tuple[Any, ...]]:
    """Every combination of `axes` with one of `values`, which take turns along every axis."""
    for numbered in product(*map(enumerate, axes)):
        numbers, combination = zip(*numbered, strict=True)
        yield *combination, values[sum(numbers) % len(values)]
