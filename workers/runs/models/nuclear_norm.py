"""Nuclear norm minimisation: a convex baseline to compare factorisations with."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np

from workers.runs.base import NonNegative
from workers.runs.models.solved import SolvedBase
from workers.runs.observations import observe
from workers.runs.problems import Problem

TOLERANCE = 1e-3
"""Largest residual unless a tolerance is given: of values of size 1 and up absolute, of smaller ones relative."""
CLARABEL_UP_TO = 40
"""Rows plus columns up to which `auto` takes Clarabel. The cost of its steps grows with the sixth power of that sum. A
20 x 20 matrix with 200 observations took Clarabel 0.6 s and SCS 0.9 s; 30 x 30 with 400 took 8.1 s and 2.5 s."""

BYTES_PER_OBSERVED_NUMBER, BYTES_PER_CONE_ENTRY, BYTES_PER_SQUARE = 560, 3000, 53
"""Memory of a solve. A cone of n = rows + columns has t = n (n + 1) / 2 entries; Clarabel factorises t x t matrices.
Measured, above an idle process: Clarabel 169 MB for n = 60 and 1275 MB for n = 100; SCS 14, 56 and 124 MB for n = 100,
200 and 300, and 1057 MB for n = 100 with 750 measurements of 2500 numbers."""


class NuclearNorm(SolvedBase, frozen=True):
    """No descent but a baseline beside it: the W of least nuclear norm with every |W_o - y_o| at most a tolerance.

    Solved as a semidefinite program (Fazel, Hindi, Boyd 2001).

    Attributes:
        tolerance: in the units of the observations; TOLERANCE where it is left out, and where no observed value reaches
            size 1 that fraction of the largest.
        solver: `clarabel` (interior point, for small matrices), `scs` (first order), or the one that suits the size.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "nuclear_norm", "tolerance": 0.1}
    proofs: ClassVar[tuple[str, ...]] = ("duality_gap", "constraint_violation")

    kind: Literal["nuclear_norm"]
    tolerance: NonNegative | None = None
    solver: Literal["auto", "clarabel", "scs"] = "auto"

    def tolerance_for(self, largest: float) -> float:
        """The tolerance in the units of observations, the largest of which in size is given."""
        return TOLERANCE * min(1.0, largest) if self.tolerance is None else self.tolerance

    def settled(self, problem: Problem) -> Self:
        """With the tolerance that it has for a problem."""
        if self.tolerance is not None:
            return self
        largest = float(np.abs(observe(problem).values).max())
        return self.model_copy(update={"tolerance": self.tolerance_for(largest)})

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """9 n^3, for a decomposition of the semidefinite matrix."""
        return 9 * self.semidefinite_size(shape) ** 3

    def label(self) -> str:
        return "nuclear norm"

    def solver_for(self, shape: Sequence[int]) -> str:
        """The solver that is called for a product of this shape: clarabel or scs."""
        if self.solver != "auto":
            return self.solver
        return "clarabel" if self.semidefinite_size(shape) <= CLARABEL_UP_TO else "scs"

    def solver_bytes(self, shape: Sequence[int], observed_numbers: int) -> int:
        rows = self.semidefinite_size(shape)
        cone = rows * (rows + 1) // 2
        squares = BYTES_PER_SQUARE * cone**2 if self.solver_for(shape) == "clarabel" else 0
        return BYTES_PER_OBSERVED_NUMBER * observed_numbers + BYTES_PER_CONE_ENTRY * cone + squares

    def semidefinite_size(self, shape: Sequence[int]) -> int:
        """Rows plus columns."""
        return sum(shape)

    def less_memory(self, shape: Sequence[int], observed_numbers: int, most: int) -> tuple[tuple[str, ...], str]:
        scs = self.model_copy(update={"solver": "scs"})
        if scs.solver_bytes(shape, observed_numbers) <= most:
            return ("model", "solver"), "take the solver 'scs'"
        return super().less_memory(shape, observed_numbers, most)
