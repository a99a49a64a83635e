"""Least sum of sizes of entries: a linear program to compare sparse factorisations with."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, ClassVar, Literal

from workers.runs.base import NonNegative
from workers.runs.models.solved import SolvedBase

BYTES_PER_OBSERVED_NUMBER, BYTES_PER_ENTRY = 350, 1000
"""Memory of a linear program without a tolerance, above an idle process: 72 MB for 100 samples of 2000 numbers, 85 MB
for 20 of 10 000. With a tolerance each observation is two conditions, and 100 samples of 2000 numbers took 141 MB."""


class LeastL1(SolvedBase, frozen=True):
    """The W with the least sum of |entries| for which every |W_o - y_o| is at most a tolerance.

    Solved as a linear program, basis pursuit (Chen, Donoho, Saunders 1998). Where no W meets the observations, the run
    fails and says so.

    Attributes:
        tolerance: in the units of the observations.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "least_l1", "tolerance": 0.1}
    proofs: ClassVar[tuple[str, ...]] = ("duality_gap", "constraint_violation")

    kind: Literal["least_l1"]
    tolerance: NonNegative = 0.0

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """A pivot of the simplex method passes over a basis of as many columns as W has entries at most."""
        return 2 * prod(shape)

    def label(self) -> str:
        return "least l1 norm"

    def solver_for(self, shape: Sequence[int]) -> str:
        return "highs"

    def solver_bytes(self, shape: Sequence[int], observed_numbers: int) -> int:
        conditions = 2 if self.tolerance else 1
        return conditions * BYTES_PER_OBSERVED_NUMBER * observed_numbers + BYTES_PER_ENTRY * prod(shape)
