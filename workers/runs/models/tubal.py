"""Tubal factorisation: the t-product of two tensors of order 3."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from workers.runs.base import Count, misfit
from workers.runs.contractions.multilinear import Multilinear, Term
from workers.runs.models.resolved import ResolvedModel


class Tubal(ResolvedModel, frozen=True):
    """W_ijt = sum over r, and over s + u = t modulo the number of tubes, of u_irs v_rju (Kilmer and Martin 2011).

    This is the t-product of u (rows, rank, tubes) and v (rank, columns, tubes): the Fourier transforms along the tubes
    multiply as matrices. A symmetric one is u times its t-transpose, where s - u = t (Karnik and others 2024).

    Attributes:
        rank: the smaller of rows and columns unless given.
        symmetric: whether the second tensor is the t-transpose of the first, which is then the only factor.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "tubal"}

    kind: Literal["tubal"]
    rank: Count | None = None
    symmetric: bool = False

    def check_shape(self, shape: Sequence[int]) -> None:
        if len(shape) != 3:
            raise misfit(
                ("model", "kind"),
                f"A {self.kind} product has three dimensions and this problem has {len(shape)}; use a tensor_train.",
            )
        if self.symmetric and shape[0] != shape[1]:
            raise misfit(
                ("model", "symmetric"),
                f"A symmetric product has as many rows as columns and this problem is {shape[0]} x {shape[1]}; "
                "leave this out.",
            )

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        rows, columns, tubes = shape
        rank, index = self._rank(shape), np.arange(tubes)
        first, second, third = index[:, None, None], index[:, None], index
        sums = first - second if self.symmetric else first + second
        constants = {"shift": ((sums - third) % tubes == 0).astype(np.float64)}
        if self.symmetric:
            term = Term(of=("u", "u", "shift"), einsum="irs,jru,sut->ijt")
            return Multilinear({"u": (rows, rank, tubes)}, (term,), constants)
        term = Term(of=("u", "v", "shift"), einsum="irs,rju,sut->ijt")
        return Multilinear({"u": (rows, rank, tubes), "v": (rank, columns, tubes)}, (term,), constants)

    def entry_variance(self, shape: Sequence[int]) -> float | None:
        """An entry is a sum over the rank and over the tubes; of a symmetric one off the diagonal of each slice."""
        return float(self._rank(shape) * shape[2])

    def label(self) -> str:
        return "tubal" if self.rank is None else f"tubal, rank {self.rank}"

    def components(self, shape: Sequence[int]) -> int | None:
        return self._rank(shape)

    def _rank(self, shape: Sequence[int]) -> int:
        return self.rank or min(shape[:2])
