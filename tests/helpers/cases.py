"""Cases of a test that are fewer than all combinations."""

from collections.abc import Collection, Sequence
from itertools import product
from typing import Any


def in_turn(values: Sequence[Any], *axes: Collection[Any]) -> list[tuple[Any, ...]]:
    """Every combination of `axes` with one of `values`, which take turns along every axis."""
    return [
        (*(value for _, value in numbered), values[sum(number for number, _ in numbered) % len(values)])
        for numbered in product(*map(enumerate, axes))
    ]
