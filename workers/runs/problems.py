"""Problems: what is observed of the matrix or tensor that descent is to fit (indices count from 0)."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from workers.runs.base import (
    Count,
    Listed,
    Natural,
    Positive,
    SpecModel,
    check_index,
    check_tensor,
    misfit,
    nested_numbers,
)

HIGHEST_ORDER = 12
"""Dimensions of a tensor; 2 x 2 x ... x 2 of this order has 4096 entries."""


def _check_order(shape: tuple[int, ...]) -> tuple[int, ...]:
    if not 2 <= len(shape) <= HIGHEST_ORDER:
        raise misfit(
            (), f"This shape has {len(shape)} dimensions; give 2 for a matrix, or up to {HIGHEST_ORDER} for a tensor."
        )
    return shape


Shape = Annotated[tuple[Count, ...], Listed, AfterValidator(_check_order)]
Index = Annotated[tuple[Natural, ...], Listed]
Matrix = Annotated[tuple[Annotated[tuple[float, ...], Listed], ...], Listed]
Tensor = Annotated[tuple[Any, ...], Listed, BeforeValidator(nested_numbers)]
"""Numbers nested as deep as the shape has dimensions."""


class Perturbed2x2(SpecModel, frozen=True):
    """W01 = z, W10 = z_prime, W11 = epsilon are observed and W00 is not; the basic setting by default."""

    kind: Literal["perturbed_2x2"]
    z: float = 1.0
    z_prime: float = 1.0
    epsilon: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return (2, 2)


class AllButCorner(SpecModel, frozen=True):
    """d x d, all observed but W00: W01 = W10 = 1, Wii = 1 for i >= 2, the rest 0."""

    kind: Literal["all_but_corner"]
    dimension: Annotated[Count, Field(ge=2)]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.dimension, self.dimension)


class Observation(SpecModel, frozen=True):
    """One observed entry."""

    index: Index
    value: float


class Completion(SpecModel, frozen=True):
    """Any observed entries; with `target`, the whole matrix or tensor they were taken from."""

    kind: Literal["completion"]
    shape: Shape
    observations: Annotated[tuple[Observation, ...], Listed, Field(min_length=1)]
    target: Tensor | None = None

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


class Measurement(SpecModel, frozen=True):
    """One linear measurement <tensor, W> = value."""

    tensor: Tensor
    value: float


class Sensing(SpecModel, frozen=True):
    """Linear measurements of the whole matrix or tensor."""

    kind: Literal["sensing"]
    shape: Shape
    measurements: Annotated[tuple[Measurement, ...], Listed, Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_its_shape(self) -> Self:
        for number, measurement in enumerate(self.measurements):
            check_tensor(measurement.tensor, self.shape, ("measurements", number, "tensor"))
        return self


class _LowRank(SpecModel, frozen=True):
    """A seeded target of the given rank and Frobenius norm, observed with noise of standard deviation `noise`.

    The rank is that of a matrix, or the number of components of a tensor (Canonical Polyadic). With `symmetric` the
    target is G G^T, positive semidefinite as the products of a symmetric_matrix are, for which this is the default.
    """

    shape: Shape
    rank: Count
    norm: Positive = 1.0
    noise: Annotated[float, Field(ge=0)] = 0.0
    symmetric: bool = False
    seed: Natural = 0

    @model_validator(mode="after")
    def _rank_is_possible(self) -> Self:
        if self.rank > (highest := highest_rank(self.shape)):
            what = "matrix" if len(self.shape) == 2 else "tensor"
            raise misfit(("rank",), f"A {what} of shape {list(self.shape)} has rank at most {highest}; lower the rank.")
        return self

    @model_validator(mode="after")
    def _symmetric_is_square(self) -> Self:
        if self.symmetric and (len(self.shape) != 2 or self.shape[0] != self.shape[1]):
            raise misfit(("symmetric",), "Only a square matrix can be symmetric; change the shape or leave this out.")
        return self


class LowRankCompletion(_LowRank, frozen=True):
    """`observed` entries of a low rank target, the first ones of one seeded permutation."""

    kind: Literal["low_rank_completion"]
    observed: Count

    @model_validator(mode="after")
    def _enough_entries(self) -> Self:
        if self.observed > prod(self.shape):
            raise misfit(("observed",), f"The target has only {prod(self.shape)} entries; observe at most that many.")
        return self


class LowRankSensing(_LowRank, frozen=True):
    """Gaussian measurements of a low rank target, the first ones of one seeded sequence."""

    kind: Literal["low_rank_sensing"]
    measurements: Count


Problem = Annotated[
    Perturbed2x2 | AllButCorner | Completion | Sensing | LowRankCompletion | LowRankSensing,
    Field(discriminator="kind"),
]


def highest_rank(shape: Sequence[int]) -> int:
    """The product of all dimensions but the largest: no matrix or tensor of that shape needs more components."""
    return prod(shape) // max(shape)


def observes_entries(problem: Any) -> bool:
    """Whether observations are entries of the product (True) or linear measurements of it (False)."""
    return not isinstance(problem, Sensing | LowRankSensing)


def observation_count(problem: Any) -> int:
    """How many numbers are observed."""
    match problem:
        case Sensing():
            return len(problem.measurements)
        case LowRankSensing():
            return problem.measurements
        case LowRankCompletion():
            return problem.observed
        case Completion():
            return len(problem.observations)
        case _:
            return prod(problem.shape) - 1
