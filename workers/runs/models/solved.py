"""Base of the baselines: models that are solved, not trained, to compare descents with."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from workers.runs.base import Positive, misfit
from workers.runs.factors import Factor
from workers.runs.models.base import ModelBase, check_is_matrix
from workers.runs.starts.gaussian import Gaussian

if TYPE_CHECKING:
    from workers.runs.losses import LossBase
    from workers.runs.problems import Problem

LONGEST_SOLVE = 3600.0
"""Most seconds that a run may allow its solver."""

UNUSED: dict[str, Any] = {
    "init": {"kind": "identity", "scale": 1.0},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1.0},
    "stop": {"max_steps": 0},
}
"""Fills in the parts that describe a descent, where a run leaves them out; they are never used."""


class SolvedBase(ModelBase, ABC, frozen=True):
    """A matrix W that a solver gives, beside descents: W itself is the only factor.

    It trains nothing: the start, the optimiser, the stop, the schedule and the engine of a run do not apply to it and
    may be left out. It records a point for each matrix that its solver passes, numbered from 0.

    Class attributes:
        proofs: what of a solution is computed apart from its solver, as columns of the summary.
        iterations: of the solver, roughly.

    Attributes:
        max_seconds: after which the solver gives up, and the run fails.
    """

    is_trained: ClassVar[bool] = False
    iterations: ClassVar[int] = 1000

    max_seconds: Annotated[Positive, Field(le=LONGEST_SOLVE)] = 600.0

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """The shape of W itself."""
        return ((shape[0], shape[1]),)

    def depth_of(self, shape: Sequence[int]) -> int:
        """W itself is the only factor."""
        return 1

    def check_shape(self, shape: Sequence[int]) -> None:
        check_is_matrix(self.example["kind"], shape)

    def check(self, problem: "Problem", loss: "LossBase") -> None:
        super().check(problem, loss)
        if loss.takes_labels:
            kinds = self.example["kind"], loss.example["kind"]
            raise misfit(("loss",), "A {} meets observed values, and those of {} are labels.".format(*kinds))

    def intermediate_numbers(self, shape: Sequence[int]) -> int:
        return 0

    def draw(self, start: Gaussian, shape: Sequence[int], stream: np.random.Generator) -> list[Factor]:
        """Zeros; a solver does not use a start."""
        return [np.zeros(factor) for factor in self.factor_shapes(shape)]

    def chain(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        return list(factors)

    def conserved(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        return []

    def components(self, shape: Sequence[int]) -> int | None:
        return None

    @abstractmethod
    def solver_for(self, shape: Sequence[int]) -> str:
        """The solver that is called for a product of this shape, in a word or two."""

    def solve_multiply_adds(self, problem: "Problem") -> int:
        return self.iterations * self.multiply_adds(problem.shape)

    @classmethod
    def fill_in(cls, run: Mapping[str, Any]) -> dict[str, Any]:
        """Parts that describe a descent, where they are left out, are taken from UNUSED."""
        return {**UNUSED, **run}
