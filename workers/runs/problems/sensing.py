"""Sensing: linear measurements written out in the spec."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from workers.runs.base import Listed, SpecModel, check_tensor
from workers.runs.problems.base import Array, LinearMeasurements, ProblemBase
from workers.runs.problems.compact import AS_JSON, Compact
from workers.runs.shapes import Shape, Tensor


class Measurement(SpecModel, frozen=True):
    """One linear measurement <tensor, W> = value."""

    tensor: Tensor
    value: float


def _compact(measurements: tuple[Measurement, ...]) -> Sequence[Measurement]:
    """Measurements as arrays, unless their tensors have different shapes."""
    values = np.array([measurement.value for measurement in measurements])
    try:
        tensors = np.array([measurement.tensor for measurement in measurements], dtype=np.float64)
    except ValueError:
        return measurements
    return Compact(Measurement, "tensor", tensors, values)


Measurements = Annotated[
    tuple[Measurement, ...], Listed, Field(min_length=1, fail_fast=True), AfterValidator(_compact), AS_JSON
]


class Sensing(ProblemBase, frozen=True):
    """Linear measurements of the whole matrix or tensor; with `target`, the one that they were taken from.

    Measurements that are `held_out` give a test loss.
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "sensing",
        "shape": [2, 2],
        "measurements": [
            {"tensor": [[1.0, 2.0], [0.0, -1.0]], "value": 0.5},
            {"tensor": [[0.0, 1.0], [1.0, 0.5]], "value": -0.5},
        ],
        "held_out": [{"tensor": [[1.0, 0.0], [0.0, 0.0]], "value": 0.25}],
    }
    observes_entries: ClassVar[bool] = False
    listed_in: ClassVar[str] = "measurements"

    kind: Literal["sensing"]
    shape: Shape
    measurements: Measurements
    target: Tensor | None = None
    held_out: Measurements | None = None

    @property
    def observation_count(self) -> int:
        return len(self.measurements)

    @property
    def is_target_known(self) -> bool:
        return self.target is not None

    def observe(self) -> LinearMeasurements:
        measured: Any = self.measurements
        assert isinstance(measured, Compact)
        tensors, outputs = measured.places.reshape(len(measured), -1), measured.values[:, None]
        return LinearMeasurements(tensors, outputs, None if self.target is None else np.array(self.target))

    @property
    def held_out_count(self) -> int:
        return len(self.held_out or ())

    def hold_out(self) -> "Sensing | None":
        return None if self.held_out is None else _sensing(self.shape, self.held_out)

    @model_validator(mode="after")
    def _fits_its_shape(self) -> Self:
        self._check_measurements(self.measurements, "measurements")
        self._check_measurements(self.held_out or (), "held_out")
        if self.target is not None:
            check_tensor(self.target, self.shape, ("target",))
        return self

    def _check_measurements(self, measured: Any, name: str) -> None:
        """Raise a misfit at the first tensor of another shape."""
        if not isinstance(measured, Compact) or measured.places.shape[1:] != self.shape:
            for number, measurement in enumerate(measured):
                check_tensor(measurement.tensor, self.shape, (name, number, "tensor"))


def sensing_of(shape: tuple[int, ...], tensors: Array, values: Array) -> Sensing:
    """Measurements as a problem: tensors (measurements, entries), values (measurements,)."""
    return _sensing(shape, Compact(Measurement, "tensor", tensors.reshape(-1, *shape), values))


def _sensing(shape: tuple[int, ...], measurements: Sequence[Measurement]) -> Sensing:
    return Sensing.model_construct(kind="sensing", shape=shape, measurements=measurements)
