"""Completion: observed entries written out in the spec."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from workers.runs.base import Listed, SpecModel, check_index, check_tensor, misfit
from workers.runs.problems.base import ObservedEntries, ProblemBase
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

    kind: Literal["completion"]
    shape: Shape
    observations: Annotated[tuple[Observation, ...], Listed, Field(min_length=1)]
    target: Tensor | None = None

    @property
    def observation_count(self) -> int:
        return len(self.observations)

    @property
    def is_target_known(self) -> bool:
        return self.target is not None

    def observe(self) -> ObservedEntries:
        values, mask = np.zeros(self.shape), np.zeros(self.shape, dtype=bool)
        for observation in self.observations:
            values[observation.index] = observation.value
            mask[observation.index] = True
        return ObservedEntries(values, mask, None if self.target is None else np.array(self.target))

    @model_validator(mode="after")
    def _fits_its_shape(self) -> Self:
        seen: dict[tuple[int, ...], int] = {}
        for number, observation in enumerate(self.observations):
            check_index(observation.index, self.shape, ("observations", number, "index"))
            if observation.index in seen:
                first = seen[observation.index]
                raise misfit(
                    ("observations", number, "index"),
                    f"Entry {list(observation.index)} is already given by observation {first}; give each entry once.",
                )
            seen[observation.index] = number
        if self.target is not None:
            check_tensor(self.target, self.shape, ("target",))
        return self
