"""Sensing: linear measurements written out in the spec."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, FailFast, Field, model_validator

from workers.runs.base import Listed, SpecModel, check_tensor
from workers.runs.problems.base import LinearMeasurements, ProblemBase
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


class Sensing(ProblemBase, frozen=True):
    """Linear measurements of the whole matrix or tensor."""

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "sensing",
        "shape": [2, 2],
        "measurements": [
            {"tensor": [[1.0, 2.0], [0.0, -1.0]], "value": 0.5},
            {"tensor": [[0.0, 1.0], [1.0, 0.5]], "value": -0.5},
        ],
    }
    observes_entries: ClassVar[bool] = False
    listed_in: ClassVar[str] = "measurements"

    kind: Literal["sensing"]
    shape: Shape
    measurements: Annotated[
        tuple[Measurement, ...], Listed, FailFast(), Field(min_length=1), AfterValidator(_compact), AS_JSON
    ]

    @property
    def observation_count(self) -> int:
        return len(self.measurements)

    @property
    def is_target_known(self) -> bool:
        return False

    def observe(self) -> LinearMeasurements:
        measured: Any = self.measurements
        assert isinstance(measured, Compact)
        return LinearMeasurements(measured.places.reshape(len(measured), -1), measured.values, None)

    @model_validator(mode="after")
    def _fits_its_shape(self) -> Self:
        measured: Any = self.measurements
        if not isinstance(measured, Compact) or measured.places.shape[1:] != self.shape:
            for number, measurement in enumerate(self.measurements):
                check_tensor(measurement.tensor, self.shape, ("measurements", number, "tensor"))
        return self
