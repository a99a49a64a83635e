"""Cases of a test that are fewer than all combinations."""

from collections.abc import Sequence
from typing import TypeVar

import pytest

Value = TypeVar("Value")


def in_turn(request: pytest.FixtureRequest, values: Sequence[Value]) -> list[Value]:
    """All values with --long; otherwise a single value, which changes from case to case along every parameter."""
    if request.config.getoption("--long"):
        return list(values)
    return [values[sum(request.node.callspec.indices.values()) % len(values)]]
