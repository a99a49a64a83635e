"""Long lists of observations as arrays: 24 bytes for an observed entry of a matrix, where objects take 500."""

from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from typing import Any, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt
from pydantic import PlainSerializer, ValidationError, ValidatorFunctionWrapHandler

from workers.runs.base import LARGEST_INTEGER, SpecModel

Item = TypeVar("Item", bound=SpecModel)
Values = npt.NDArray[np.float64]
_Arrays = tuple[npt.NDArray[np.int64], Values]

AT_ONCE = 1000
"""Items that are looked at together; of a list with mistakes, those of the first such group are said."""


class Compact(Sequence[Item], Generic[Item]):
    """A list of numbers, each at a place; equal and hashed by its content, hashed once.

    Args:
        make: an item from its place and its value, as lists and numbers.
        name: of the place, in an item as JSON.
        places: (items, ...), what each value belongs to.
        values: (items,).

    Attributes:
        fits: the shape for which the places are known to be right, None before they were checked.
    """

    def __init__(self, make: type[Item], name: str, places: npt.NDArray[Any], values: Values) -> None:
        self.places, self.values = places, values
        self.fits: tuple[int, ...] | None = None
        self._make, self._name = make, name

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, position: int) -> Item: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Item]: ...
    def __getitem__(self, position: int | slice) -> Item | Sequence[Item]:
        if isinstance(position, slice):
            return Compact(self._make, self._name, self.places[position], self.values[position])
        place, value = self.places[position].tolist(), float(self.values[position])
        return self._make.model_validate({self._name: place, "value": value})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Compact):
            return NotImplemented
        return np.array_equal(self.places, other.places) and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        return self._digest

    @cached_property
    def _digest(self) -> int:
        content = blake2b((self.places + 0).tobytes(), digest_size=8)  # no -0.0, which equals 0.0
        content.update((self.values + 0).tobytes())
        return int.from_bytes(content.digest(), "big")

    def as_json(self) -> list[dict[str, Any]]:
        """The list as JSON values."""
        name = self._name
        places, values = self.places.tolist(), self.values.tolist()
        return [{name: place, "value": value} for place, value in zip(places, values, strict=True)]


def _as_json(items: Sequence[SpecModel]) -> list[dict[str, Any]]:
    return items.as_json() if isinstance(items, Compact) else [item.model_dump() for item in items]


AS_JSON = PlainSerializer(_as_json, return_type=list[dict[str, Any]])
"""Marks a field that may hold a Compact."""


def read_entries(make: type[Item]) -> Callable[[Any, ValidatorFunctionWrapHandler], Sequence[Item]]:
    """A validator of lists of `{"index": [...], "value": ...}`, at the speed at which JSON is read.

    What it cannot take, the validator inside looks at: items that are unusual, and items that are wrong.
    """

    def read(items: Any, validate: ValidatorFunctionWrapHandler) -> Sequence[Item]:
        if not isinstance(items, list) or not items:
            return validate(items)
        groups = list[_Arrays]()
        for start in range(0, len(items), AT_ONCE):
            group = _group(items, start, validate)
            if group is None or group[0].shape[1] != (groups or [group])[0][0].shape[1]:
                return validate(items[: start + AT_ONCE])  # indices of different lengths, of which no shape takes all
            groups.append(group)
        places, values = (np.concatenate(parts) for parts in zip(*groups, strict=True))
        return Compact(make, "index", places, values)

    return read


def _group(items: Sequence[Any], start: int, validate: ValidatorFunctionWrapHandler) -> _Arrays | None:
    """Indices (items, order) and values of a group, None where the indices have different lengths."""
    group = items[start : start + AT_ONCE]
    arrays = _arrays(group)
    if arrays is not None:
        return arrays
    try:
        checked = validate(group)
    except ValidationError:
        validate(items[: start + AT_ONCE])  # says the same at the right places
        raise
    orders = {len(item.index) for item in checked}
    if len(orders) > 1:
        return None
    places = np.array([item.index for item in checked], dtype=np.int64).reshape(len(checked), orders.pop())
    return places, np.array([item.value for item in checked])


def _arrays(group: Sequence[Any]) -> _Arrays | None:
    """Indices (items, order) and values of usual items, None if any is unusual."""
    if set(map(type, group)) != {dict} or set(map(len, group)) != {2}:
        return None
    try:
        indices, values = [item["index"] for item in group], [item["value"] for item in group]
        orders = set(map(len, indices))
        flat = list(chain.from_iterable(indices))
        if set(map(type, indices)) != {list} or len(orders) != 1 or set(map(type, flat)) != {int}:
            return None
        places, numbers = np.array(flat, dtype=np.int64), np.array(values, dtype=np.float64)
    except (KeyError, TypeError, OverflowError, ValueError):
        return None
    are_numbers = set(map(type, values)) <= {int, float} and np.isfinite(numbers).all()
    if not are_numbers or places.min() < 0 or places.max() > LARGEST_INTEGER:
        return None
    return places.reshape(len(group), -1), numbers
