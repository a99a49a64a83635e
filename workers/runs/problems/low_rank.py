"""Problems with a random target of low rank: some of its entries, or linear measurements of it."""

from collections.abc import Mapping, Sequence
from math import isclose, prod
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from workers.runs.base import Count, Listed, NonNegative, Positive, SpecModel, misfit
from workers.runs.haar import haar
from workers.runs.problems.base import (
    HELD_OUT_STREAM,
    MEASUREMENT_STREAM,
    NOISE_STREAM,
    OUTLIER_STREAM,
    PERMUTATION_STREAM,
    SPECTRUM_STREAM,
    TARGET_STREAM,
    Array,
    LinearMeasurements,
    ObservedEntries,
    ProblemBase,
    stream_of,
)
from workers.runs.problems.completion import Completion, completion_of
from workers.runs.problems.sensing import Sensing, sensing_of
from workers.runs.seeds import Seed
from workers.runs.shapes import Shape, highest_rank


class Outliers(SpecModel, frozen=True):
    """Gross errors of a share of the observations, normal with standard deviation `scale`, added to their values."""

    share: Annotated[float, Field(ge=0, le=1)]
    scale: Positive


class LowRank(ProblemBase, frozen=True):
    """A seeded target of the given rank and Frobenius norm, observed with noise of standard deviation `noise`.

    The rank is that of a matrix, or the number of components of a tensor (Canonical Polyadic). With `symmetric` the
    target is G G^T, positive semidefinite as the products of a symmetric_matrix are, for which this is the default.

    With a `spectrum` a matrix has these singular values, which give its rank and norm; with a `condition_number` kappa
    they go evenly from 1 down to 1 / kappa, times what gives the norm (Tong, Ma, Chi 2021). Its singular vectors are
    then those of Haar matrices. A share of the observed values may be `outliers`. Of what is `held_out` of the loss the
    values are exact, for a test loss.
    """

    can_be_labels: ClassVar[bool] = False

    shape: Shape
    rank: Count
    norm: Positive = 1.0
    spectrum: Annotated[tuple[Positive, ...], Listed, Field(min_length=1)] | None = None
    condition_number: Annotated[float, Field(ge=1)] | None = None
    noise: NonNegative = 0.0
    outliers: Outliers | None = None
    held_out: Count | None = None
    symmetric: bool = False
    seed: Seed = 0

    @property
    def is_target_known(self) -> bool:
        return True

    @property
    def held_out_count(self) -> int:
        return self.held_out or 0

    def target(self) -> Array:
        """A product of Gaussian matrices (rows x rank, rank x columns), scaled to the Frobenius norm `norm`.

        A symmetric target is G G^T with a Gaussian G (rows x rank). A target of higher order is the sum of `rank` outer
        products of Gaussian vectors. With given singular values s it is U diag(s) V^T, and U = V if it is symmetric.
        """
        if (singular_values := self._singular_values()) is not None:
            rows, columns = self.shape
            stream = stream_of(self.seed, SPECTRUM_STREAM)
            left = haar(stream, rows, self.rank)
            return (left * singular_values) @ (left if self.symmetric else haar(stream, columns, self.rank)).T
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

    def with_outliers(self, values: Array) -> Array:
        """Observed values in order, with the share of outliers among them."""
        if self.outliers is None:
            return values
        stream = stream_of(self.seed, OUTLIER_STREAM)
        struck = stream.permutation(len(values))[: round(self.outliers.share * len(values))]
        corrupted = values.copy()
        corrupted[struck] += self.outliers.scale * stream.standard_normal(len(struck))
        return corrupted

    def _singular_values(self) -> Array | None:
        """Singular values of the target where the spec decides them, (rank,)."""
        if self.spectrum is not None:
            return np.array(self.spectrum)
        if self.condition_number is None:
            return None
        relative = np.linspace(1.0, 1 / self.condition_number, self.rank)
        return relative * (self.norm / np.linalg.norm(relative))

    @model_validator(mode="before")
    @classmethod
    def _of_its_spectrum(cls, value: Any) -> Any:
        """A spectrum gives the rank and the norm, where they are left out."""
        match value:
            case {"spectrum": [*spectrum]} if spectrum and all(type(number) in (int, float) for number in spectrum):
                return {"rank": len(spectrum), "norm": float(np.hypot.reduce(np.array(spectrum, float))), **value}
            case _:
                return value

    @model_validator(mode="after")
    def _spectrum_is_possible(self) -> Self:
        name = "spectrum" if self.spectrum is not None else "condition_number"
        if self.spectrum is None and self.condition_number is None:
            return self
        if self.spectrum is not None and self.condition_number is not None:
            raise misfit(("condition_number",), "A spectrum has its condition number; give one of the two.")
        if len(self.shape) > 2:
            raise misfit((name,), "Singular values are those of a matrix, and this is a tensor; leave this out.")
        if self.spectrum is not None:
            self._check_spectrum(self.spectrum)
        elif self.rank == 1 and self.condition_number != 1:
            raise misfit((name,), "A matrix of rank 1 has condition number 1; raise the rank or leave this out.")
        return self

    def _check_spectrum(self, spectrum: Sequence[float]) -> None:
        """Raise a misfit unless the shape, the rank and the norm are those of a spectrum."""
        if len(spectrum) > min(self.shape):
            raise misfit(
                ("spectrum",),
                f"A {self.shape[0]} x {self.shape[1]} matrix has at most {min(self.shape)} singular values, "
                f"and {len(spectrum)} were given; leave some out.",
            )
        if len(spectrum) != self.rank:
            raise misfit(("rank",), f"A spectrum of {len(spectrum)} values has that rank; leave the rank out.")
        if not isclose(self.norm, norm := float(np.hypot.reduce(spectrum)), rel_tol=1e-9):
            raise misfit(("norm",), f"This spectrum has the norm {norm:.6g}; leave the norm out.")

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
        "held_out": 1,
    }

    kind: Literal["low_rank_completion"]
    observed: Count

    @property
    def observation_count(self) -> int:
        return self.observed

    def observe(self) -> ObservedEntries:
        target = self.target()
        order = self._order(target.size)[: self.observed]
        mask = np.zeros(target.size, dtype=bool)
        mask[order] = True
        mask = mask.reshape(target.shape)
        noisy = (target + self.noise_of(target.size).reshape(target.shape)).ravel()
        noisy[order] = self.with_outliers(noisy[order])
        return ObservedEntries(np.where(mask, noisy.reshape(target.shape), 0.0), mask, target)

    def hold_out(self) -> Completion | None:
        """The last entries of the permutation, whose first are observed: observing more never changes them."""
        if self.held_out is None:
            return None
        target = self.target()
        order = self._order(target.size)[-self.held_out :]
        return completion_of(self.shape, np.array(np.unravel_index(order, self.shape)).T, target.ravel()[order])

    def _order(self, entries: int) -> npt.NDArray[np.int64]:
        return stream_of(self.seed, PERMUTATION_STREAM).permutation(entries)

    @model_validator(mode="after")
    def _enough_entries(self) -> Self:
        entries = prod(self.shape)
        if self.observed > entries:
            raise misfit(("observed",), f"The target has only {entries} entries; observe at most that many.")
        if self.held_out_count > entries - self.observed:
            raise misfit(
                ("held_out",), f"Only {entries - self.observed} entries are unobserved; hold out at most that many."
            )
        return self


class LowRankSensing(LowRank, frozen=True):
    """Measurements of a low rank target, the first ones of one seeded sequence.

    Their tensors have independent standard normal entries (`gaussian`), divided by the root of the number of entries
    (`gaussian_normalised`, as Arora, Cohen, Hu, Luo 2019), or are outer products of normal vectors (`rank_one`).
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "low_rank_sensing",
        "shape": [2, 2],
        "rank": 1,
        "measurements": 3,
        "held_out": 2,
    }
    observes_entries: ClassVar[bool] = False

    kind: Literal["low_rank_sensing"]
    measurements: Count
    measurement: Literal["gaussian", "gaussian_normalised", "rank_one"] = "gaussian"

    @property
    def observation_count(self) -> int:
        return self.measurements

    def observe(self) -> LinearMeasurements:
        target = self.target()
        tensors = self._tensors(stream_of(self.seed, MEASUREMENT_STREAM), self.measurements)
        values = self.with_outliers(tensors @ target.ravel() + self.noise_of(len(tensors)))
        return LinearMeasurements(tensors, values[:, None], target)

    def hold_out(self) -> Sensing | None:
        if self.held_out is None:
            return None
        tensors = self._tensors(stream_of(self.seed, HELD_OUT_STREAM), self.held_out)
        return sensing_of(self.shape, tensors, tensors @ self.target().ravel())

    def _tensors(self, stream: np.random.Generator, count: int) -> Array:
        """So many measurement tensors, (count, entries)."""
        if self.measurement == "rank_one":
            return _outer_products(stream.standard_normal((count, sum(self.shape))), self.shape)
        tensors = stream.standard_normal((count, prod(self.shape)))
        return tensors / prod(self.shape) ** 0.5 if self.measurement == "gaussian_normalised" else tensors


def _outer_products(vectors: Array, shape: Sequence[int]) -> Array:
    """Outer products (count, entries) of the vectors of each row, given one after the other."""
    products = np.ones((len(vectors), 1))
    for part in np.split(vectors, np.cumsum(shape)[:-1], axis=1):
        products = (products[:, :, None] * part[:, None]).reshape(len(vectors), -1)
    return products


def _sum_of_outer_products(factors: Sequence[Array]) -> Array:
    """Sum over r of f1_r x ... x fN_r, of shape (dimension of f1, ..., of fN), from factors (dimension, rank)."""
    rows = factors[0]
    for factor in factors[1:-1]:
        rows = (rows[:, None] * factor).reshape(-1, rows.shape[1])
    return (rows @ factors[-1].T).reshape([len(factor) for factor in factors])
