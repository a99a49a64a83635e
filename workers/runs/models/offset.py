"""A matrix that stays, and a trained product that is added to it."""

from collections.abc import Mapping, Sequence
from string import ascii_letters
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator

from workers.runs.base import Count, Listed, misfit
from workers.runs.contractions.checks import constant_shape
from workers.runs.contractions.multilinear import MOST_OPERANDS, Multilinear, Term
from workers.runs.models.base import check_is_matrix
from workers.runs.models.resolved import ResolvedModel
from workers.runs.shapes import Matrix


def _rectangular(base: Any) -> Any:
    if len(constant_shape(base, "base")) != 2:
        raise misfit((), "A base is a list of rows of equal lengths; write one.")
    return base


class Offset(ResolvedModel, frozen=True):
    """W = base + F0 F1 ..., low rank adaptation of a matrix that was trained before (Hu and others 2021).

    With `depth` 2 this is LoRA, with 3 its deep form (Yaras, Wang, Balzano, Qu 2024). Of Gaussian factors the standard
    deviation of the product is that of what is added to the base. `factor_0` is the leftmost.

    Attributes:
        base: rows of numbers, of the problem's shape.
        rank: the width between neighbouring factors; unless given the smaller of rows and columns.
        depth: how many factors are multiplied.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "offset", "base": [[0.5, 0.0], [0.25, 1.0]], "rank": 1}
    further_examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"kind": "offset", "base": [[0.5, 0.0, -0.25], [0.125, 1.0, 0.0]], "depth": 3},
    )

    kind: Literal["offset"]
    base: Annotated[Matrix, Listed, AfterValidator(_rectangular)]
    rank: Count | None = None
    depth: Count = 2

    def check_shape(self, shape: Sequence[int]) -> None:
        check_is_matrix(self.kind, shape)
        rows, columns = len(self.base), len(self.base[0])
        if (rows, columns) != tuple(shape):
            raise misfit(
                ("model", "base"),
                f"This base is {rows} x {columns} and the problem is {shape[0]} x {shape[1]}; let them have one shape.",
            )
        if self.depth >= MOST_OPERANDS // 2:
            raise misfit(
                ("model", "depth"), f"An {self.kind} has fewer than {MOST_OPERANDS // 2} factors; give a lower depth."
            )

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        sizes = (shape[0], *(self._width(shape),) * (self.depth - 1), shape[1])
        letters = ascii_letters[: self.depth + 1]
        factors = {f"factor_{number}": sizes[number : number + 2] for number in range(self.depth)}
        einsum = ",".join(letters[number : number + 2] for number in range(self.depth))
        terms = (
            Term(of=("base",), einsum="ij->ij"),
            Term(of=tuple(factors), einsum=f"{einsum}->{letters[0]}{letters[-1]}"),
        )
        return Multilinear(factors, terms, {"base": np.array(self.base, dtype=np.float64)})

    def entry_variance(self, shape: Sequence[int]) -> float | None:
        """Of what is added to the base."""
        return float(self._width(shape)) ** (self.depth - 1)

    def label(self) -> str:
        return f"offset, depth {self.depth}" + ("" if self.rank is None else f", rank {self.rank}")

    def _width(self, shape: Sequence[int]) -> int:
        return self.rank or min(shape)
