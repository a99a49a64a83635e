"""Completion: observed entries written out in the spec."""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, WrapValidator, model_validator

from workers.runs.base import Listed, SpecModel, check_index, check_tensor, misfit
from workers.runs.problems.base import Array, ObservedEntries, ProblemBase
from workers.runs.problems.compact import AS_JSON, Compact, read_entries
from workers.runs.shapes import Index, Shape, Tensor

_SINGULAR = {"observations": "observation", "held_out": "held-out observation"}


class Observation(SpecModel, frozen=True):
    """One observed entry."""

    index: Index
    value: float


Entries = Annotated[
    tuple[Observation, ...], Listed, Field(min_length=1), WrapValidator(read_entries(Observation)), AS_JSON
]


class Completion(ProblemBase, frozen=True):
    """Any observed entries; with `target`, the whole matrix or tensor they were taken from.

    Other entries that are `held_out` give a test loss.
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "completion",
        "shape": [2, 2],
        "observations": [{"index": [0, 1], "value": 0.5}, {"index": [1, 1], "value": 0.25}],
        "target": [[1.0, 0.5], [0.5, 0.25]],
        "held_out": [{"index": [0, 0], "value": 1.0}],
    }

    listed_in: ClassVar[str] = "observations"

    kind: Literal["completion"]
    shape: Shape
    observations: Entries
    target: Tensor | None = None
    held_out: Entries | None = None

    @property
    def observation_count(self) -> int:
        return len(self.observations)

    @property
    def is_target_known(self) -> bool:
        return self.target is not None

    @property
    def observed_values(self) -> Array:
        observed: Any = self.observations
        assert isinstance(observed, Compact)
        return observed.values

    def observe(self) -> ObservedEntries:
        observed: Any = self.observations
        assert isinstance(observed, Compact)
        values, mask = np.zeros(self.shape), np.zeros(self.shape, dtype=bool)
        entries = tuple(observed.places.T)
        values[entries], mask[entries] = observed.values, True
        return ObservedEntries(values, mask, None if self.target is None else np.array(self.target))

    @property
    def held_out_count(self) -> int:
        return len(self.held_out or ())

    def hold_out(self) -> "Completion | None":
        return None if self.held_out is None else _completion(self.shape, self.held_out)

    @model_validator(mode="after")
    def _fits_its_shape(self) -> Self:
        _check_entries(self.observations, self.shape, "observations")
        if self.held_out is not None:
            _check_entries(self.held_out, self.shape, "held_out")
            self._check_held_out(self.held_out)
        if self.target is not None:
            check_tensor(self.target, self.shape, ("target",))
        return self

    def _check_held_out(self, held_out: Sequence[Observation]) -> None:
        """Raise a misfit at the first held-out entry that the loss sees."""
        observed, unseen = (_positions(entries, self.shape) for entries in (self.observations, held_out))
        seen = np.flatnonzero(np.isin(unseen, observed))
        if len(seen):
            index = list(held_out[int(seen[0])].index)
            raise misfit(
                ("held_out", int(seen[0]), "index"),
                f"Entry {index} is observed, so that it is not held out; leave it out of one of the lists.",
            )


def completion_of(shape: tuple[int, ...], places: npt.NDArray[np.int64], values: Array) -> Completion:
    """Entries as a problem: places (entries, order), values (entries,)."""
    return _completion(shape, Compact(Observation, "index", places, values))


def _completion(shape: tuple[int, ...], observations: Sequence[Observation]) -> Completion:
    return Completion.model_construct(kind="completion", shape=shape, observations=observations)


def _check_entries(entries: Any, shape: tuple[int, ...], name: str) -> None:
    """Raise a misfit at the first index that is outside the shape, or that was given before."""
    if not isinstance(entries, Compact):  # indices of different lengths
        _check_each([entry.index for entry in entries], shape, name)
    elif entries.fits != shape:  # checked again wherever the problem is made part of a run
        if not _are_entries(entries.places, shape):
            _check_each(map(tuple, entries.places.tolist()), shape, name)
        entries.fits = shape


def _check_each(indices: Iterable[tuple[int, ...]], shape: tuple[int, ...], name: str) -> None:
    seen: dict[tuple[int, ...], int] = {}
    for number, index in enumerate(indices):
        check_index(index, shape, (name, number, "index"))
        if index in seen:
            raise misfit(
                (name, number, "index"),
                f"Entry {list(index)} is already given by {_SINGULAR[name]} {seen[index]}; give each entry once.",
            )
        seen[index] = number


def _positions(entries: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Row-major positions of entries, (entries,); those of a shape beyond 64 bits are told apart as texts."""
    if prod(shape) > np.iinfo(np.int64).max:
        return np.array([str(place) for place in entries.places.tolist()])
    return np.asarray(np.ravel_multi_index(tuple(entries.places.T), shape), dtype=np.int64)


def _are_entries(places: npt.NDArray[np.int64], shape: tuple[int, ...]) -> bool:
    """Whether indices (items, order) are those of different entries of a tensor of the shape."""
    if places.shape[1] != len(shape) or (places >= shape).any():
        return False
    if prod(shape) > np.iinfo(np.int64).max:
        return len(set(map(tuple, places.tolist()))) == len(places)
    entries = np.sort(np.ravel_multi_index(tuple(places.T), shape))
    return bool((entries[1:] != entries[:-1]).all())
