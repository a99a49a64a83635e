"""Symmetric tensors: a sum of outer products of vectors with themselves."""

from collections.abc import Mapping, Sequence
from string import ascii_letters
from typing import Any, ClassVar, Literal

from workers.runs.base import Count, misfit
from workers.runs.contractions.invariants import Axis
from workers.runs.contractions.multilinear import Multilinear, Term
from workers.runs.models.resolved import ResolvedModel
from workers.runs.shapes import highest_rank


class SymmetricTensor(ResolvedModel, frozen=True):
    """W = sum over r of v_r x v_r x ... x v_r, as many times as W has dimensions (Ge, Ren, Wang, Zhou 2021).

    The factor `v` has the vectors as columns. Of an even order W is positive semidefinite. Unless given, the rank is
    the product of all dimensions but one, as for a cp_tensor.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "symmetric_tensor", "rank": 2}

    kind: Literal["symmetric_tensor"]
    rank: Count | None = None

    def check_shape(self, shape: Sequence[int]) -> None:
        if len(set(shape)) > 1:
            raise misfit(
                ("model", "kind"),
                f"A {self.kind} has equal dimensions and this problem is {' x '.join(map(str, shape))}; "
                "use a cp_tensor.",
            )

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        outer, inner = ascii_letters[: len(shape)], ascii_letters[len(shape)]
        einsum = f"{','.join(letter + inner for letter in outer)}->{outer}"
        rank = self.rank or highest_rank(shape)
        return Multilinear({"v": (shape[0], rank)}, (Term(of=("v",) * len(shape), einsum=einsum),), {})

    def entry_variance(self, shape: Sequence[int]) -> float | None:
        """Of entries whose indices all differ."""
        return float(self.rank or highest_rank(shape))

    def component_axes(self, shape: Sequence[int]) -> tuple[tuple[Axis, ...], ...]:
        return (((0, 1),) * len(shape),)

    def label(self) -> str:
        return "symmetric tensor" if self.rank is None else f"symmetric tensor, rank {self.rank}"

    def components(self, shape: Sequence[int]) -> int | None:
        return self.rank or highest_rank(shape)
