"""A small valid instance of every kind of model, problem, optimiser and start, as the kinds themselves give it."""

from collections.abc import Mapping
from typing import Any, get_args

Example = Mapping[str, Any]


def example_of(kind: type) -> Example:
    """The JSON of a small valid instance of a kind."""
    return kind.example


def kinds_of(union: Any) -> tuple[type, ...]:
    """The classes of a discriminated union, so that a new kind is tested by being in its union."""
    return get_args(get_args(union)[0])


def models_of(union: Any) -> list[tuple[type, Example]]:
    """Every kind of model with each of its examples: some show more than one."""
    return [(kind, example) for kind in kinds_of(union) for example in (kind.example, *kind.further_examples)]
