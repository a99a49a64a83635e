"""Completion: observed entries written out in the spec."""

from collections.abc import Iterable, Mapping
from math import prod
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, WrapValidator, model_validator

from workers.runs.base import Listed, SpecModel, check_index, check_tensor, misfit
from workers.runs.problems.base import Array, ObservedEntries, ProblemBase
from workers.runs.problems.compact import AS_JSON, Compact, read_entries
from workers.runs.shapes import Index, Shape, Tensor


class Observation(SpecModel, frozen=True):
    """One observed entry."""

    index: Index
    value: float


class Completion(ProblemBase, frozen=True):
    """Any observed entries; with `target`, the whole matrix or tensor they were taken from."""

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "completion",
        "shape": [2, 2],
        "observations": [{"index": [0, 1], "value": 0.5}, {"index": [1, 1], "value": 0.25}],
        "target": [[1.0, 0.5], [0.5, 0.25]],
    }

    listed_in: ClassVar[str] = "observations"

    kind: Literal["completion"]
    shape: Shape
    observations: Annotated[
        tuple[Observation, ...], Listed, Field(min_length=1), WrapValidator(read_entries(Observation)), AS_JSON
    ]
    target: Tensor | None = None

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

    @model_validator(mode="after")
    def _fits_its_shape(self) -> Self:
        observed: Any = self.observations
        if not isinstance(observed, Compact):  # indices of different lengths
            self._check_each([observation.index for observation in self.observations])
        elif observed.fits != self.shape:  # checked again wherever the problem is made part of a run
            if not _are_entries(observed.places, self.shape):
                self._check_each(map(tuple, observed.places.tolist()))
            observed.fits = self.shape
        if self.target is not None:
            check_tensor(self.target, self.shape, ("target",))
        return self

    def _check_each(self, indices: Iterable[tuple[int, ...]]) -> None:
        """Raise a misfit at the first index that is outside the shape, or that was given before."""
        seen: dict[tuple[int, ...], int] = {}
        for number, index in enumerate(indices):
            check_index(index, self.shape, ("observations", number, "index"))
            if index in seen:
                raise misfit(
                    ("observations", number, "index"),
                    f"Entry {list(index)} is already given by observation {seen[index]}; give each entry once.",
                )
            seen[index] = number


def _are_entries(places: npt.NDArray[np.int64], shape: tuple[int, ...]) -> bool:
    """Whether indices (items, order) are those of different entries of a tensor of the shape."""
    if places.shape[1] != len(shape) or (places >= shape).any():
        return False
    if prod(shape) > np.iinfo(np.int64).max:
        return len(set(map(tuple, places.tolist()))) == len(places)
    entries = np.sort(np.ravel_multi_index(tuple(places.T), shape))
    return bool((entries[1:] != entries[:-1]).all())
