"""Base of all kinds of problem, and observations as arrays."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from workers.runs.base import SpecModel

Array = npt.NDArray[np.float64]

TARGET_STREAM, PERMUTATION_STREAM, MEASUREMENT_STREAM, NOISE_STREAM = range(4)
"""Independent random streams of one problem seed, so that observing more never changes the target."""


@dataclass(frozen=True)
class ObservedEntries:
    """Entries of a matrix or tensor: W[mask] = values[mask].

    Attributes:
        values: of the problem's shape, zero where unobserved.
        mask: of that shape, true where observed.
        target: the full matrix or tensor without noise, None where the problem does not define it.
    """

    values: Array
    mask: npt.NDArray[np.bool_]
    target: Array | None

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return 3 * self.values.nbytes


@dataclass(frozen=True)
class LinearMeasurements:
    """Linear measurements: tensors @ vec(W) = values, vec in row-major order.

    Attributes:
        tensors: (measurements, entries of the product).
        values: (measurements,).
        target: of the problem's shape, without noise; None where the problem does not define it.
    """

    tensors: Array
    values: Array
    target: Array | None

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return self.tensors.nbytes + self.values.nbytes


Observations = ObservedEntries | LinearMeasurements


class ProblemBase(SpecModel, ABC, frozen=True):
    """Observations of the matrix or tensor that descent is to fit; every kind has a `shape` as well.

    Class attributes:
        example: a small valid problem of this kind, as JSON values.
        observes_entries: whether the observations are entries of the product; otherwise they are linear measurements.
        listed_in: name of the field that lists the observed values, where they are written out in the spec.
    """

    example: ClassVar[Mapping[str, Any]]
    observes_entries: ClassVar[bool] = True
    listed_in: ClassVar[str | None] = None

    @property
    @abstractmethod
    def observation_count(self) -> int:
        """How many numbers are observed."""

    @property
    @abstractmethod
    def is_target_known(self) -> bool:
        """Whether the problem defines the full product, so that a reconstruction error exists."""

    @property
    def observed_values(self) -> Array:
        """The observed numbers (observations,), in the order of the list where the spec lists them."""
        observed = self.observe()
        return observed.values[observed.mask] if isinstance(observed, ObservedEntries) else observed.values

    @abstractmethod
    def observe(self) -> Observations:
        """The observations as arrays; the same spec gives the same arrays (`workers.runs.observations` keeps them)."""


def stream_of(seed: int, stream: int) -> np.random.Generator:
    """One of the independent random streams of a problem's seed."""
    return np.random.default_rng([seed, stream])
