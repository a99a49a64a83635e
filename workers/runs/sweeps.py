"""Sweeps: axes of values crossed into run specs; the keys of an axis vary together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

MOST_LEVELS = 20
"""Most names in a path of a sweep; the deepest field of a run is 5 levels deep."""

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
        positions: the index of the run's values on each axis.
    """

    spec: dict[str, Any]
    origins: dict[str, tuple[int, str, int]]
    positions: tuple[int, ...] = ()


def count_runs(sweep: Sequence[Axis]) -> int:
    """How many runs a checked sweep expands to."""
    return prod(_axis_length(axis) for axis in sweep)


def check_sweep(sweep: Sequence[Axis]) -> None:
    """Raise SweepError unless every axis has keys, all of the same length, and no path is set twice."""
    ends: dict[str, int] = {}
    passed: dict[str, tuple[int, str]] = {}
    for number, axis in enumerate(sweep):
        if not axis:
            raise SweepError((number,), "An axis needs at least one key with its list of values.")
        for path, values in axis.items():
            _check_values(axis, path, values, number)
            _check_path(path, number, ends, passed)


def expand(base: Mapping[str, Any], sweep: Sequence[Axis]) -> Iterator[SweptRun]:
    """The runs of a checked sweep; the last axis varies fastest.

    Runs share every part of `base` and of the sweep that no axis leads into, so none of them is to be changed.

    Raises:
        SweepError: a path leads through something that is no object, or to an item that a list does not have.
    """
    for positions in product(*(range(_axis_length(axis)) for axis in sweep)):
        spec, fresh = dict(base), set[int]()
        origins: dict[str, tuple[int, str, int]] = {}
        for number, (axis, position) in enumerate(zip(sweep, positions, strict=True)):
            for path, values in axis.items():
                _set_path(spec, path, values[position], (number, path), fresh)
                origins[path] = (number, path, position)
        yield SweptRun(spec, origins, positions)


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


def _check_path(path: str, number: int, ends: dict[str, int], passed: dict[str, tuple[int, str]]) -> None:
    """Raise a SweepError if a path meets another path, and enter it.

    Args:
        ends: axes by the paths that they set.
        passed: the axis and the path that lead through an object, by the path of the object.
    """
    parts = path.split(".")
    if len(parts) > MOST_LEVELS:
        raise SweepError((number, path), f"No field of a run is {len(parts)} levels deep; correct the path.")
    above = [".".join(parts[:depth]) for depth in range(1, len(parts))]
    meets = next(((ends[other], other) for other in (path, *above) if other in ends), passed.get(path))
    if meets is not None:
        raise SweepError((number, path), f"Axis {meets[0]} already sets {meets[1]!r}; sweep each field once.")
    ends[path] = number
    passed.update(dict.fromkeys(above, (number, path)))


def _set_path(spec: dict[str, Any], path: str, value: Any, pointer: tuple[str | int, ...], fresh: set[int]) -> None:
    """Set the value at a path of a run, in copies of the objects and lists on the way.

    Args:
        fresh: ids of the objects and lists of this run that no other run shares; those that are copied are added.
    """
    *parents, last = path.split(".")
    inside: dict[str, Any] | list[Any] = spec
    for parent in parents:
        child = _child(inside, parent, path, pointer)
        if not isinstance(child, dict | list):
            raise SweepError(pointer, f"{parent!r} is not an object, so {path!r} leads nowhere; correct the path.")
        if id(child) not in fresh:
            child = child.copy()
            fresh.add(id(child))
            _set(inside, parent, child)
        inside = child
    if isinstance(inside, list):
        _child(inside, last, path, pointer)
    _set(inside, last, value)


def _child(inside: dict[str, Any] | list[Any], name: str, path: str, pointer: tuple[str | int, ...]) -> Any:
    """What a path goes on with; items of lists are counted from 0."""
    if not isinstance(inside, list):
        return inside.get(name, {})
    if not (name.isdecimal() and name.isascii() and int(name) < len(inside)):
        message = f"A list of {len(inside)} has no item {name!r}, so {path!r} leads nowhere; its items count from 0."
        raise SweepError(pointer, message)
    return inside[int(name)]


def _set(inside: dict[str, Any] | list[Any], name: str, value: Any) -> None:
    if isinstance(inside, list):
        inside[int(name)] = value
    else:
        inside[name] = value
