"""Completion by soft-thresholding of singular values, along a path of penalties."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from workers.runs.base import Count, Positive, misfit
from workers.runs.models.solved import SolvedBase
from workers.runs.observations import observe_entries

if TYPE_CHECKING:
    from workers.runs.losses import LossBase
    from workers.runs.problems import Problem

LEAST_PENALTY = 1e-3
"""The last penalty unless it is given, as a fraction of the least one that makes W = 0."""

MOST_PENALTIES = 1000

WORKING_MATRICES = 12
"""Matrices of the product's size that a step works on."""


class SoftImpute(SolvedBase, frozen=True):
    """The W of least 1/2 sum of squared residuals + penalty ||W||_*, for penalties that fall to the one given.

    Unobserved entries are filled in from W, and the singular values of the filled matrix are shortened by the penalty
    and cut at zero, again and again (Mazumder, Hastie, Tibshirani 2010, algorithm 1). Steps are extrapolated, as of
    Toh and Yun (2010). Each penalty starts from the solution of the one before and is a point; point 0 is W = 0.

    Attributes:
        penalty: the last one, in the units of the observations; LEAST_PENALTY where it is left out.
        penalties: how many points follow point 0, their penalties evenly spaced in logarithms.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "soft_impute", "penalty": 0.05, "penalties": 3}
    proofs: ClassVar[tuple[str, ...]] = ("duality_gap", "stationarity")
    iterations: ClassVar[int] = 200

    kind: Literal["soft_impute"]
    penalty: Positive | None = None
    penalties: Annotated[Count, Field(le=MOST_PENALTIES)] = 10

    def settled(self, problem: "Problem") -> Self:
        """With the penalty that it has for a problem."""
        if self.penalty is not None:
            return self
        largest = float(np.linalg.norm(observe_entries(problem).values, 2))
        return self.model_copy(update={"penalty": LEAST_PENALTY * largest or LEAST_PENALTY})

    def check(self, problem: "Problem", loss: "LossBase") -> None:
        super().check(problem, loss)
        if not problem.observes_entries:
            raise misfit(
                ("model", "kind"), "A soft_impute fills in unobserved entries, and this problem has measurements."
            )
        if not loss.is_square:
            raise misfit(
                ("loss",),
                f"A soft_impute fits squared residuals, and this loss is {loss.example['kind']}; take half_sse.",
            )

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """A singular value decomposition."""
        return 15 * prod(shape) * min(shape)

    def solve_multiply_adds(self, problem: "Problem") -> int:
        return self.penalties * super().solve_multiply_adds(problem)

    def solver_points(self, shape: Sequence[int]) -> int:
        return self.penalties + 1

    def label(self) -> str:
        return "soft-impute" if self.penalty is None else f"soft-impute, penalty {self.penalty:g}"

    def solver_for(self, shape: Sequence[int]) -> str:
        return "soft-impute"

    def solver_bytes(self, shape: Sequence[int], observed_numbers: int) -> int:
        return 8 * prod(shape) * (self.solver_points(shape) + WORKING_MATRICES)

    def less_memory(self, shape: Sequence[int], observed_numbers: int, most: int) -> tuple[tuple[str, ...], str]:
        least = self.model_copy(update={"penalties": 1})
        if least.solver_bytes(shape, observed_numbers) <= most:
            return ("model", "penalties"), "take fewer penalties"
        return super().less_memory(shape, observed_numbers, most)
