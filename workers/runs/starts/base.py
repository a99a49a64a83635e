"""Base of all kinds of start, and what a start needs of a model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from workers.runs.base import SpecModel, misfit
from workers.runs.factors import Factor
from workers.runs.problems import Problem

if TYPE_CHECKING:
    from workers.runs.starts.gaussian import Gaussian


class StartError(ValueError):
    """The start does not exist: no draw has the determinant sign, or a number is not finite."""


class Startable(Protocol):
    """The part of a model that a start needs; `workers.runs.models.base.ModelBase` provides it."""

    is_chain: ClassVar[bool]
    is_symmetric: ClassVar[bool]
    sums_components: ClassVar[bool]
    has_layers: ClassVar[bool]
    width_name: ClassVar[str]

    @property
    def kind(self) -> str: ...

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]: ...
    def factor_names(self, shape: Sequence[int]) -> tuple[str, ...]: ...
    def imbalances(self, shape: Sequence[int]) -> tuple[int, ...] | None: ...
    def depth_of(self, shape: Sequence[int]) -> int: ...
    def draw(self, start: "Gaussian", shape: Sequence[int], stream: np.random.Generator) -> list[Factor]: ...
    def entry_std(self, start: "Gaussian", shape: Sequence[int]) -> float: ...
    def check_gaussian(self, start: "Gaussian", shape: Sequence[int]) -> None: ...
    def chain(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]: ...
    def most_split_rank(self, shape: Sequence[int]) -> int: ...
    def split(self, matrix: Factor, rank: int) -> list[Factor]: ...


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
    def check(self, model: Startable, problem: Problem) -> None:
        """Raise a misfit, pointing into the run, unless a model of the problem can start like this."""

    @abstractmethod
    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
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


def check_matrices(kind: str, model: Startable, shape: Sequence[int]) -> None:
    """Raise a misfit, pointing into the run, unless every factor is a matrix."""
    orders = {len(factor) for factor in model.factor_shapes(shape)}
    if orders != {2}:
        raise misfit(
            ("init", "kind"),
            f"The factors of an {kind} start are matrices, and this {model.kind} has others; use a gaussian.",
        )
