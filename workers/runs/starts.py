"""Starts: the factors at which descent begins (the `init` of a spec), and how a seed generates them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import Field

from workers.runs.base import Listed, Positive, SpecModel, check_matrix, classes_by_kind, misfit
from workers.runs.factors import Factor, determinant_sign
from workers.runs.shapes import Matrix

DeterminantSign = Literal["any", "positive", "negative"]
SIGNS = {"positive": 1, "negative": -1}

MOST_REDRAWS = 1000
"""Draws of a Gaussian start after which the search for a determinant sign is given up."""


class StartError(ValueError):
    """The start does not exist: no draw has the determinant sign, or a number is not finite."""


class Startable(Protocol):
    """The part of a model that a start needs; `workers.runs.models.base.ModelBase` provides it."""

    is_symmetric: ClassVar[bool]
    sums_components: ClassVar[bool]
    width_name: ClassVar[str]

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]: ...
    def depth_of(self, shape: Sequence[int]) -> int: ...
    def draw(self, start: "Gaussian", shape: Sequence[int], stream: np.random.Generator) -> list[Factor]: ...
    def entry_std(self, start: "Gaussian", shape: Sequence[int]) -> float: ...
    def chain(self, factors: Sequence[Factor]) -> list[Factor]: ...


LABEL_DIGITS = 6
"""Significant digits of a start's numbers in its label, unless more are asked for."""


@dataclass(frozen=True)
class Size:
    """What decides the size of the entries of a start's factors.

    Attributes:
        pointer: path in the run of the field to change.
        name: of that field, in a sentence.
        value: of that field.
        entry: size of the factors' entries, which goes with the `power`-th root of the value.
    """

    pointer: tuple[str | int, ...]
    name: str
    value: float
    entry: float
    power: int = 1

    def least(self, entry: float) -> float:
        """The value with which entries have a given size, rounded up to three digits; 0 where floats have none."""
        logarithm = log(self.value) + self.power * (log(entry) - log(self.entry))
        return float(f"{1.006 * exp(logarithm):.2e}")


class StartBase(SpecModel, ABC, frozen=True):
    """Base of all kinds of start.

    Class attributes:
        example: a small valid start of this kind, as JSON values.
    """

    example: ClassVar[Mapping[str, Any]]

    @abstractmethod
    def check(self, model: Startable, shape: Sequence[int]) -> None:
        """Raise a misfit, pointing into the run, unless a model with a product of `shape` can start like this."""

    @abstractmethod
    def make(self, model: Startable, shape: Sequence[int], seed: int) -> list[Factor]:
        """The factors at step 0, first to last, in float64; raises StartError."""

    @abstractmethod
    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        """The start in a few words; it includes the balance when `says_balance`."""

    def size(self, model: Startable, shape: Sequence[int]) -> "Size | None":
        """What decides the size of the factors' entries; None where nothing is to be checked."""
        return None

    @property
    def may_be_balanced(self) -> bool:
        """Whether factors of this start may be balanced; independently drawn factors never are."""
        return True


class Gaussian(StartBase, frozen=True):
    """Independent normal entries, per factor or so that the product's entries have standard deviation `std`.

    A balanced start draws the product and splits its singular value decomposition over the factors. With a determinant
    sign, starts are redrawn until the product's determinant has it.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "gaussian", "std": 0.5}

    kind: Literal["gaussian"]
    std: Positive
    std_of: Literal["factor", "product"] = "factor"
    balanced: bool = False
    determinant: DeterminantSign = "any"

    def check(self, model: Startable, shape: Sequence[int]) -> None:
        """Components have neither balance nor determinant; a determinant sign needs a square product of full rank."""
        if model.sums_components:
            self._check_components()
        elif self.determinant != "any":
            self._check_determinant(model, shape)

    def make(self, model: Startable, shape: Sequence[int], seed: int) -> list[Factor]:
        """Factors drawn from a generator of this run alone, redrawn until the determinant has the requested sign."""
        stream = np.random.default_rng(seed)
        for _ in range(MOST_REDRAWS):
            factors = model.draw(self, shape, stream)
            if self.determinant == "any" or determinant_sign(model.chain(factors)) == SIGNS[self.determinant]:
                return factors
        raise StartError(
            f"No start with a {self.determinant} determinant was found in {MOST_REDRAWS} draws; "
            "ask for the sign 'any', another seed, or give explicit factors."
        )

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        """The standard deviation, and the balance."""
        balance = "balanced" if self.balanced else "unbalanced"
        std = f"{self.std:.{digits}g}"
        return f"{std} {balance}" if says_balance else std

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        power = 1 if self.std_of == "factor" else model.depth_of(shape)
        return Size(("init", "std"), "a std", self.std, model.entry_std(self, shape), power)

    @property
    def may_be_balanced(self) -> bool:
        return self.balanced

    def _check_components(self) -> None:
        if self.balanced:
            raise misfit(("init", "balanced"), "Balanced starts are those of deep_matrix; leave balanced out here.")
        if self.determinant != "any":
            raise misfit(("init", "determinant"), "A cp_tensor is not drawn by its determinant; ask for 'any'.")

    def _check_determinant(self, model: Startable, shape: Sequence[int]) -> None:
        pointer, rows, columns = ("init", "determinant"), shape[0], shape[-1]
        if rows != columns:
            raise misfit(pointer, f"A {rows} x {columns} product has no determinant; ask for the sign 'any'.")
        if min(min(factor) for factor in model.factor_shapes(shape)) < rows:
            raise misfit(
                pointer,
                f"With a {model.width_name} below {rows} the determinant is always zero; "
                "widen the model or ask for 'any'.",
            )
        if model.is_symmetric and self.determinant == "negative":
            raise misfit(pointer, "U U^T never has a negative determinant; ask for 'any' or 'positive'.")


class Identity(StartBase, frozen=True):
    """Every factor is `scale` times the identity (ones on the main diagonal of a rectangular factor)."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "identity", "scale": 0.5}

    kind: Literal["identity"]
    scale: Positive

    def check(self, model: Startable, shape: Sequence[int]) -> None:
        """Components cannot start as identities: all of them would be alike."""
        if model.sums_components:
            raise misfit(("init", "kind"), "An identity start is one of deep_matrix; use a gaussian or explicit start.")

    def make(self, model: Startable, shape: Sequence[int], seed: int) -> list[Factor]:
        return [self.scale * np.eye(*factor) for factor in model.factor_shapes(shape)]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return f"{self.scale:.{digits}g} x identity"

    def size(self, model: Startable, shape: Sequence[int]) -> Size:
        return Size(("init", "scale"), "a scale", self.scale, self.scale)


class Explicit(StartBase, frozen=True):
    """The factors themselves, first to last."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "explicit", "factors": [[[0.3, 0.1], [-0.2, 0.4]]]}

    kind: Literal["explicit"]
    factors: Annotated[tuple[Matrix, ...], Listed, Field(min_length=1)]

    def check(self, model: Startable, shape: Sequence[int]) -> None:
        """Each factor needs a matrix of its shape."""
        shapes = model.factor_shapes(shape)
        if len(self.factors) != (count := len(shapes)):
            raise misfit(
                ("init", "factors"),
                f"The model has {count} factor{'s'[: count - 1]}, and {len(self.factors)} were given; "
                "give one for each.",
            )
        for number, (factor, factor_shape) in enumerate(zip(self.factors, shapes, strict=True)):
            check_matrix(factor, factor_shape, ("init", "factors", number))

    def make(self, model: Startable, shape: Sequence[int], seed: int) -> list[Factor]:
        return [np.array(factor, dtype=np.float64) for factor in self.factors]

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return self.kind

    def size(self, model: Startable, shape: Sequence[int]) -> Size | None:
        """The largest entry of the smallest factor; factors of zeros are meant to be zero."""
        largest = [max(abs(entry) for row in factor for entry in row) for factor in self.factors]
        least = min((entry for entry in largest if entry > 0), default=None)
        if least is None:
            return None
        return Size(("init", "factors", largest.index(least)), "a largest entry", least, least)


Start = Annotated[Gaussian | Identity | Explicit, Field(discriminator="kind")]

STARTS: dict[str, type[StartBase]] = classes_by_kind(Start)
"""The class of each kind."""
