"""Least potential of diagonal networks: what a gradient flow of u^L - v^L from a uniform start converges to."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from workers.runs.base import Count, Positive
from workers.runs.models.solved import SolvedBase

if TYPE_CHECKING:
    from workers.runs.problems import Problem

BYTES_PER_OBSERVED_NUMBER, BYTES_PER_ENTRY = 60, 200
"""Memory of the decomposition of the measurements, and of Newton's steps on its rows: 40 MB, above an idle process, for
200 samples of 4000 numbers."""

DEEPEST = 20
"""Deepest potential. At greater depths even starts of size 0.1 leave weights beyond the precision of float64."""


class LeastQ(SolvedBase, frozen=True):
    """The W of least potential Q_alpha that meets the observations (Woodworth et al. 2020).

    The gradient flow of W = u^L - v^L, entry by entry, from u = v = alpha converges to it where its loss goes to zero.
    At L = 2, Q is the sum of alpha^2 q(W_ij / alpha^2) with q(z) = 2 - sqrt(4 + z^2) + z asinh(z / 2). Large alpha
    gives the least Frobenius norm, alpha towards zero at L = 2 the least l1 norm. Where no W meets the observations,
    those of least squared error take their place.

    Attributes:
        alpha: size of every number of the start.
        depth: L, at least 2.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "least_q", "alpha": 0.1}
    proofs: ClassVar[tuple[str, ...]] = ("duality_gap", "constraint_violation", "stationarity")
    iterations: ClassVar[int] = 150

    kind: Literal["least_q"]
    alpha: Positive
    depth: Annotated[Count, Field(ge=2, le=DEEPEST)] = 2

    def multiply_adds(self, shape: Sequence[int]) -> int:
        return prod(shape)

    def solve_multiply_adds(self, problem: "Problem") -> int:
        """A decomposition of the measurements, and of their rows at every step."""
        if problem.observes_entries:
            return prod(problem.shape)
        rows, columns = problem.sample_count, problem.sample_numbers
        return (10 + self.iterations * problem.observation_count // rows) * rows * columns * min(rows, columns)

    def label(self) -> str:
        depth = f", depth {self.depth}" if self.depth > 2 else ""
        return f"least Q, alpha {self.alpha:g}{depth}"

    def solver_for(self, shape: Sequence[int]) -> str:
        return "newton"

    def solver_bytes(self, shape: Sequence[int], observed_numbers: int) -> int:
        return BYTES_PER_OBSERVED_NUMBER * observed_numbers + BYTES_PER_ENTRY * prod(shape)
