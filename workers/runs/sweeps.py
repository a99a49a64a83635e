"""Sweeps: axes of values crossed into run specs; the keys of an axis vary together."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

Axis = Mapping[str, Sequence[Any]]


class SweepError(ValueError):
    """A sweep that cannot be expanded.

    Attributes:
        pointer: path inside the sweep to the part to change.
    """

    def __init__(self, pointer: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True)
class SweptRun:
    """One point of the grid.

    Attributes:
        spec: the run as JSON values.
        origins: for each swept path, the location of its value in the sweep: axis, key and index.
    """

    spec: dict[str, Any]
    origins: dict[str, tuple[int, str, int]]


def count_runs(sweep: Sequence[Axis]) -> int:
    """How many runs a checked sweep expands to."""
    return prod(_axis_length(axis) for axis in sweep)


def check_sweep(sweep: Sequence[Axis]) -> None:
    """Raise SweepError unless every axis has keys, all of the same length, and no path is set twice."""
    seen: dict[str, int] = {}
    for number, axis in enumerate(sweep):
        if not axis:
            raise SweepError((number,), "An axis needs at least one key with its list of values.")
        for path, values in axis.items():
            _check_values(axis, path, values, number)
            _check_path(path, number, seen)
            seen[path] = number


def expand(base: Mapping[str, Any], sweep: Sequence[Axis]) -> Iterator[SweptRun]:
    """The runs of a checked sweep; the last axis varies fastest.

    Raises:
        SweepError: a path leads through something that is not an object.
    """
    for positions in product(*(range(_axis_length(axis)) for axis in sweep)):
        spec = copy.deepcopy(dict(base))
        origins: dict[str, tuple[int, str, int]] = {}
        for number, (axis, position) in enumerate(zip(sweep, positions, strict=True)):
            for path, values in axis.items():
                _set_path(spec, path, values[position], (number, path))
                origins[path] = (number, path, position)
        yield SweptRun(spec, origins)


def _axis_length(axis: Axis) -> int:
    return len(next(iter(axis.values())))


def _check_values(axis: Axis, path: str, values: Sequence[Any], number: int) -> None:
    if not values:
        raise SweepError((number, path), "Give at least one value.")
    if len(values) != _axis_length(axis):
        first = next(iter(axis))
        raise SweepError(
            (number, path),
            f"The keys of one axis move together: {first!r} has {_axis_length(axis)} values and {path!r} has "
            f"{len(values)}; give as many, or put it on an axis of its own.",
        )


def _check_path(path: str, number: int, seen: Mapping[str, int]) -> None:
    for other, axis in seen.items():
        if path == other or path.startswith(f"{other}.") or other.startswith(f"{path}."):
            raise SweepError((number, path), f"Axis {axis} already sets {other!r}; sweep each field once.")


def _set_path(spec: dict[str, Any], path: str, value: Any, pointer: tuple[str | int, ...]) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        child = spec.setdefault(parent, {})
        if not isinstance(child, dict):
            raise SweepError(pointer, f"{parent!r} is not an object, so {path!r} leads nowhere; correct the path.")
        spec = child
    spec[last] = value
