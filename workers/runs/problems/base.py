"""Base of all kinds of problem, and observations as arrays."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from workers.runs.base import SpecModel

Array = npt.NDArray[np.float64]

TARGET_STREAM, PERMUTATION_STREAM, MEASUREMENT_STREAM, NOISE_STREAM = range(4)
SPECTRUM_STREAM, OUTLIER_STREAM, HELD_OUT_STREAM = range(4, 7)
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
    """Linear measurements: the product, reshaped to (measured rows, columns), times tensors^T is outputs^T.

    Sensing measures vec(W), in row-major order, a single row. Regression measures each row of W by the same inputs.

    Attributes:
        tensors: (samples, columns).
        outputs: (samples, measured rows).
        target: of the problem's shape, without noise; None where the problem does not define it.
    """

    tensors: Array
    outputs: Array
    target: Array | None

    @property
    def values(self) -> Array:
        """All observed numbers, (samples * measured rows,), sample by sample."""
        return self.outputs.ravel()

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return self.tensors.nbytes + self.outputs.nbytes


Observations = ObservedEntries | LinearMeasurements


class ProblemBase(SpecModel, ABC, frozen=True):
    """Observations of the matrix or tensor that descent is to fit; every kind has a `shape` as well.

    Class attributes:
        example: a small valid problem of this kind, as JSON values.
        observes_entries: whether the observations are entries of the product; otherwise they are linear measurements.
        listed_in: name of the field that lists the observed values, where they are written out in the spec.
        can_be_labels: whether all observed values can be 1 or -1, which drawn ones never are.
    """

    example: ClassVar[Mapping[str, Any]]
    observes_entries: ClassVar[bool] = True
    listed_in: ClassVar[str | None] = None
    can_be_labels: ClassVar[bool] = True

    if TYPE_CHECKING:
        shape: Any  # of W: a field of some kinds, which follows from other fields in others

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

    @property
    def sample_count(self) -> int:
        """Rows of the matrix of linear measurements."""
        return self.observation_count

    @property
    def sample_numbers(self) -> int:
        """Numbers in a row of that matrix."""
        return prod(self.shape)

    @property
    def observed_numbers(self) -> int:
        """Numbers that the observations take in memory."""
        return prod(self.shape) if self.observes_entries else self.numbers_of(self.sample_count)

    @property
    def held_out_numbers(self) -> int:
        """Numbers that the held-out observations take in memory."""
        if not self.held_out_count:
            return 0
        return prod(self.shape) if self.observes_entries else self.numbers_of(self.held_out_count)

    def numbers_of(self, samples: int) -> int:
        """Numbers that so many rows of the matrix of linear measurements take, with what was measured."""
        return samples * (self.sample_numbers + 1)

    def multiply_adds(self, is_square: bool) -> int:
        """Multiply-adds that predict the observations of a product, and carry their gradient back to it.

        For losses of squares linear measurements are reduced to as many rows as columns (`workers.runs.reduction`).
        """
        if self.observes_entries:
            return 0
        rows = min(self.sample_count, self.sample_numbers) if is_square else self.sample_count
        return 2 * rows * prod(self.shape)

    @property
    def batch_words(self) -> str:
        """What changes the shapes of the observations' arrays, beyond the shape of W, as words."""
        return "entries" if self.observes_entries else f"measurements={self.observation_count}"

    @property
    def held_out_count(self) -> int:
        """How many observations are held out of the loss, for a test loss."""
        return 0

    def hold_out(self) -> "ProblemBase | None":
        """The held-out observations as a problem of the same shape; None without any."""
        return None


def stream_of(seed: int, stream: int) -> np.random.Generator:
    """One of the independent random streams of a problem's seed."""
    return np.random.default_rng([seed, stream])
