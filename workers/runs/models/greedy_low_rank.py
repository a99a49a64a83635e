"""Greedy low-rank learning: a matrix that grows by a rank at a time, to compare descents from small starts with."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from workers.runs.base import Count, NonNegative, Positive, misfit
from workers.runs.models.solved import SolvedBase
from workers.runs.observations import observe

if TYPE_CHECKING:
    from workers.runs.losses import LossBase
    from workers.runs.problems import Problem

EPSILON = 1e-6
"""What is appended unless a size is given, as a fraction of the largest observed value."""

ITERATIONS_OF_A_RANK = 500
"""Of L-BFGS, roughly."""

WORKING_MATRICES = 60
"""Matrices of the product's size that L-BFGS works on at most: ten pairs of steps and gradients of both factors."""


class GreedyLowRank(SolvedBase, frozen=True):
    """Greedy low-rank learning, GLRL (Li, Luo, Lyu 2021): a point for each rank, from W = 0.

    A rank appends epsilon times the top singular vectors of minus the gradient dl/dW, as a column and a row of two
    factors, and minimises the loss in these factors by L-BFGS until the gradient in them vanishes. It ends at
    `max_rank`, at a loss below `loss_below`, or where no term of rank one lowers the loss. L-BFGS takes the place of
    the paper's gradient flow: both end where the gradient vanishes, and need not end at the same matrix.

    Attributes:
        max_rank: the largest rank, the least dimension of W unless given.
        epsilon: size of the term that is appended, in the units of W; EPSILON where it is left out.
        loss_below: ends the run, converged, at the first rank whose loss is below it.
        tolerance: size of the gradient in the factors at which a rank is over, over that of dl/dW at W = 0 (its largest
            singular value) and the norm of the factors.
        symmetric: whether W = U U^T.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "greedy_low_rank", "max_rank": 2}
    proofs: ClassVar[tuple[str, ...]] = ("stationarity",)

    kind: Literal["greedy_low_rank"]
    max_rank: Count | None = None
    epsilon: Positive | None = None
    loss_below: NonNegative | None = None
    tolerance: Positive = 1e-7
    symmetric: bool = False

    def epsilon_for(self, largest: float) -> float:
        """The size of what is appended, where the largest observed value has the size given."""
        return (EPSILON * largest or EPSILON) if self.epsilon is None else self.epsilon

    def settled(self, problem: "Problem") -> Self:
        """With the epsilon that it has for a problem."""
        if self.epsilon is not None:
            return self
        largest = float(np.abs(observe(problem).values).max())
        return self.model_copy(update={"epsilon": self.epsilon_for(largest)})

    def check(self, problem: "Problem", loss: "LossBase") -> None:
        super().check(problem, loss)
        if not loss.is_lipschitz:
            raise misfit(
                ("loss",),
                f"A greedy_low_rank needs a slope that is Lipschitz continuous, and that of {loss.example['kind']} is "
                "not where a residual is 0; take huber with a small delta.",
            )

    def check_shape(self, shape: Sequence[int]) -> None:
        super().check_shape(shape)
        if self.symmetric and shape[0] != shape[1]:
            raise misfit(
                ("model", "symmetric"),
                f"A symmetric product is square and this problem is {shape[0]} x {shape[1]}; leave symmetric out.",
            )
        if self.max_rank is not None and self.max_rank > min(shape):
            raise misfit(("model", "max_rank"), f"No matrix of this shape has a rank above {min(shape)}; give less.")

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """The product and its gradient in both factors, at the largest rank."""
        return 3 * prod(shape) * self.most_ranks(shape)

    def solve_multiply_adds(self, problem: "Problem") -> int:
        ranks, step = self.most_ranks(problem.shape), self.multiply_adds(problem.shape)
        return ranks * ITERATIONS_OF_A_RANK * (step + problem.multiply_adds(is_square=True) + prod(problem.shape))

    def most_ranks(self, shape: Sequence[int]) -> int:
        """The largest rank that it may come to."""
        return self.max_rank or min(shape)

    def solver_points(self, shape: Sequence[int]) -> int:
        """One of each rank, and of W = 0."""
        return self.most_ranks(shape) + 1

    def label(self) -> str:
        return "greedy low rank"

    def solver_for(self, shape: Sequence[int]) -> str:
        return "l-bfgs"

    def solver_bytes(self, shape: Sequence[int], observed_numbers: int) -> int:
        return 8 * prod(shape) * (self.solver_points(shape) + WORKING_MATRICES)

    def less_memory(self, shape: Sequence[int], observed_numbers: int, most: int) -> tuple[tuple[str, ...], str]:
        least = self.model_copy(update={"max_rank": 1})
        if least.solver_bytes(shape, observed_numbers) <= most:
            return ("model", "max_rank"), "take a smaller max_rank"
        return super().less_memory(shape, observed_numbers, most)
