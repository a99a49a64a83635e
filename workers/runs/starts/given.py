"""Starts whose factors are given: written out, or those of another run."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from workers.runs.base import Listed, Natural, check_matrix, misfit
from workers.runs.factors import Factor
from workers.runs.problems import Problem
from workers.runs.shapes import Matrix
from workers.runs.starts.base import LABEL_DIGITS, Size, Startable, StartBase, StartError

Factors = Annotated[tuple[Matrix, ...], Listed, Field(min_length=1)]


class Explicit(StartBase, frozen=True):
    """The factors themselves, first to last."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "explicit", "factors": [[[0.3, 0.1], [-0.2, 0.4]]]}

    kind: Literal["explicit"]
    factors: Factors

    def check(self, model: Startable, problem: Problem) -> None:
        """Each factor needs a matrix of its shape."""
        _check_factors(self.factors, model.factor_shapes(problem.shape))

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        return _arrays(self.factors)

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return self.kind

    def size(self, model: Startable, shape: Sequence[int]) -> Size | None:
        return _size(self.factors)


class OtherRun(StartBase, frozen=True):
    """The factors of another run, as they stand or at a step.

    They are read when the experiment is stored, and stored with this run: a spec that has them gives the same result
    whatever becomes of the other run. `step` is the one at which they were read.
    """

    example: ClassVar[Mapping[str, Any]] = {
        "kind": "run",
        "id": "another",
        "step": 0,
        "factors": [[[0.3, 0.1], [-0.2, 0.4]]],
    }

    kind: Literal["run"]
    id: Annotated[str, Field(min_length=1, max_length=64)]
    step: Natural | None = None
    factors: Factors | None = None

    def check(self, model: Startable, problem: Problem) -> None:
        """Each factor needs a matrix of its shape, once the other run was read."""
        if self.factors is not None:
            _check_factors(self.factors, model.factor_shapes(problem.shape))

    def make(self, model: Startable, problem: Problem, seed: int) -> list[Factor]:
        if self.factors is None:
            raise StartError(f"The factors of run {self.id} were not read; submit this spec to the service again.")
        return _arrays(self.factors)

    def label(self, says_balance: bool, digits: int = LABEL_DIGITS) -> str:
        return f"run {self.id[:8]}"

    def size(self, model: Startable, shape: Sequence[int]) -> Size | None:
        return None if self.factors is None else _size(self.factors)


def _arrays(factors: Sequence[Any]) -> list[Factor]:
    return [np.array(factor, dtype=np.float64) for factor in factors]


def _check_factors(factors: Sequence[Any], shapes: Sequence[tuple[int, int]]) -> None:
    """Raise a misfit unless there is a matrix of its shape for each factor."""
    if len(factors) != (count := len(shapes)):
        raise misfit(
            ("init", "factors"),
            f"The model has {count} factor{'s'[: count - 1]}, and {len(factors)} were given; give one for each.",
        )
    for number, (factor, shape) in enumerate(zip(factors, shapes, strict=True)):
        check_matrix(factor, shape, ("init", "factors", number))


def _size(factors: Sequence[Any]) -> Size | None:
    """The largest entry of the smallest factor; factors of zeros are meant to be zero."""
    largest = [max(abs(entry) for row in factor for entry in row) for factor in factors]
    least = min((entry for entry in largest if entry > 0), default=None)
    if least is None:
        return None
    return Size(("init", "factors", largest.index(least)), "a largest entry", least, least)
