"""The difference of two positive semidefinite matrices."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from workers.runs.base import Count, misfit
from workers.runs.contractions.multilinear import Multilinear, Term
from workers.runs.models.base import check_is_matrix
from workers.runs.models.resolved import ResolvedModel
from workers.runs.models.symmetric_targets import with_symmetric_target


class Difference(ResolvedModel, frozen=True):
    """W = U U^T - V V^T, symmetric, of any signs of eigenvalues (Lyu, Jin, Li, Du, Lee, Hu 2024).

    The factors `u` and `v` are (dimension, rank), the rank the dimension unless given. Equal factors make W zero.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "difference"}

    kind: Literal["difference"]
    rank: Count | None = None

    def check_shape(self, shape: Sequence[int]) -> None:
        check_is_matrix(self.kind, shape)
        rows, columns = shape
        if rows != columns:
            raise misfit(
                ("model", "kind"),
                f"A {self.kind} is square and this problem is {rows} x {columns}; use a deep_matrix.",
            )

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        size = (shape[0], self.rank or shape[0])
        terms = (
            Term(of=("u", "u"), einsum="ir,jr->ij"),
            Term(of=("v", "v"), einsum="ir,jr->ij", sign=-1),
        )
        return Multilinear({"u": size, "v": size}, terms, {})

    def entry_variance(self, shape: Sequence[int]) -> float | None:
        """Of entries off the diagonal."""
        return 2.0 * (self.rank or shape[0])

    def label(self) -> str:
        return "U U^T - V V^T" if self.rank is None else f"U U^T - V V^T, rank {self.rank}"

    def components(self, shape: Sequence[int]) -> int | None:
        return self.rank or shape[0]

    @classmethod
    def fill_in(cls, run: Mapping[str, Any]) -> dict[str, Any]:
        """A square low rank target is symmetric unless it says otherwise: no other target could be fitted."""
        return with_symmetric_target(run)
