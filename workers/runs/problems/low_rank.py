"""Problems with a random target of low rank: some of its entries, or linear measurements of it."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from workers.runs.base import Count, Positive, misfit
from workers.runs.problems.base import (
    MEASUREMENT_STREAM,
    NOISE_STREAM,
    PERMUTATION_STREAM,
    TARGET_STREAM,
    Array,
    LinearMeasurements,
    ObservedEntries,
    ProblemBase,
    stream_of,
)
from workers.runs.seeds import Seed
from workers.runs.shapes import Shape, highest_rank


class LowRank(ProblemBase, frozen=True):
    """A seeded target of the given rank and Frobenius norm, observed with noise of standard deviation `noise`.

    The rank is that of a matrix, or the number of components of a tensor (Canonical Polyadic). With `symmetric` the
    target is G G^T, positive semidefinite as the products of a symmetric_matrix are, for which this is the default.
    """

    shape: Shape
    rank: Count
    norm: Positive = 1.0
    noise: Annotated[float, Field(ge=0)] = 0.0
    symmetric: bool = False
    seed: Seed = 0

    @property
    def is_target_known(self) -> bool:
        return True

    def target(self) -> Array:
        """A product of Gaussian matrices (rows x rank, rank x columns), scaled to the Frobenius norm `norm`.

        A symmetric target is G G^T with a Gaussian G (rows x rank). A target of higher order is the sum of `rank` outer
        products of Gaussian vectors.
        """
        stream = stream_of(self.seed, TARGET_STREAM)
        if len(self.shape) == 2:
            rows, columns = self.shape
            left = stream.standard_normal((rows, self.rank))
            target = left @ (left.T if self.symmetric else stream.standard_normal((self.rank, columns)))
        else:
            target = _sum_of_outer_products([stream.standard_normal((size, self.rank)) for size in self.shape])
        return target * (self.norm / np.linalg.norm(target))

    def noise_of(self, count: int) -> Array:
        """Noise of `count` observed values in order; observing more values leaves the noise of the first unchanged."""
        if not self.noise:
            return np.zeros(count)
        return self.noise * stream_of(self.seed, NOISE_STREAM).standard_normal(count)

    @model_validator(mode="after")
    def _rank_is_possible(self) -> Self:
        if self.rank > (highest := highest_rank(self.shape)):
            noun = "matrix" if len(self.shape) == 2 else "tensor"
            raise misfit(("rank",), f"A {noun} of shape {list(self.shape)} has rank at most {highest}; lower the rank.")
        return self

    @model_validator(mode="after")
    def _symmetric_is_square(self) -> Self:
        if self.symmetric and (len(self.shape) != 2 or self.shape[0] != self.shape[1]):
            raise misfit(("symmetric",), "Only a square matrix can be symmetric; change the shape or leave this out.")
        return self


class LowRankCompletion(LowRank, frozen=True):
    """`observed` entries of a low rank target, the first ones of one seeded permutation."""

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "low_rank_completion",
        "shape": [2, 2],
        "rank": 1,
        "observed": 3,
    }

    kind: Literal["low_rank_completion"]
    observed: Count

    @property
    def observation_count(self) -> int:
        return self.observed

    def observe(self) -> ObservedEntries:
        target = self.target()
        order = stream_of(self.seed, PERMUTATION_STREAM).permutation(target.size)
        mask = np.zeros(target.size, dtype=bool)
        mask[order[: self.observed]] = True
        mask = mask.reshape(target.shape)
        noisy = target + self.noise_of(target.size).reshape(target.shape)
        return ObservedEntries(np.where(mask, noisy, 0.0), mask, target)

    @model_validator(mode="after")
    def _enough_entries(self) -> Self:
        if self.observed > prod(self.shape):
            raise misfit(("observed",), f"The target has only {prod(self.shape)} entries; observe at most that many.")
        return self


class LowRankSensing(LowRank, frozen=True):
    """Gaussian measurements of a low rank target, the first ones of one seeded sequence."""

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "low_rank_sensing",
        "shape": [2, 2],
        "rank": 1,
        "measurements": 3,
    }
    observes_entries: ClassVar[bool] = False

    kind: Literal["low_rank_sensing"]
    measurements: Count

    @property
    def observation_count(self) -> int:
        return self.measurements

    def observe(self) -> LinearMeasurements:
        target = self.target()
        draw = stream_of(self.seed, MEASUREMENT_STREAM).standard_normal
        tensors = draw((self.measurements, target.size))
        return LinearMeasurements(tensors, tensors @ target.ravel() + self.noise_of(len(tensors)), target)


def _sum_of_outer_products(factors: Sequence[Array]) -> Array:
    """Sum over r of f1_r x ... x fN_r, of shape (dimension of f1, ..., of fN), from factors (dimension, rank)."""
    rows = factors[0]
    for factor in factors[1:-1]:
        rows = (rows[:, None] * factor).reshape(-1, rows.shape[1])
    return (rows @ factors[-1].T).reshape([len(factor) for factor in factors])
