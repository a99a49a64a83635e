"""The tests of a combination side by side: they share runs, which each of several processes would repeat."""

import pytest

from tests.kinds.combinations import Combination


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order: dict[Combination, int] = {}
    ranks = [order.setdefault(of, len(order)) if (of := _combination(item)) else -1 for item in items]
    positions = [number for number, rank in enumerate(ranks) if rank >= 0]
    chosen = sorted(positions, key=lambda number: ranks[number])
    for position, item in zip(positions, [items[number] for number in chosen], strict=True):
        items[position] = item


def _combination(item: pytest.Item) -> Combination | None:
    callspec = getattr(item, "callspec", None)
    parameters = () if callspec is None else callspec.params.values()
    return next((value for value in parameters if isinstance(value, Combination)), None)
