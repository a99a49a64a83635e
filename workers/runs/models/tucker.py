"""Tucker factorisation: a core, and a matrix for every mode."""

from collections.abc import Mapping, Sequence
from math import prod
from string import ascii_letters
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from workers.runs.base import Count, Listed
from workers.runs.contractions.multilinear import Multilinear, Term
from workers.runs.models.resolved import ResolvedModel, check_count


class Tucker(ResolvedModel, frozen=True):
    """W_ijk = sum over a, b, c of core_abc mode_0_ia mode_1_jb mode_2_kc, and so on of any order (Tucker 1966).

    Factors are `core` (ranks) and `mode_n` (dimension, rank).

    Attributes:
        ranks: for each mode; unless given the dimension, or the product of the others where that is less, which
            constrains no tensor.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "tucker"}

    kind: Literal["tucker"]
    ranks: Annotated[tuple[Count, ...], Listed, Field(min_length=1)] | None = None

    def check_shape(self, shape: Sequence[int]) -> None:
        if self.ranks is not None:
            check_count("ranks", len(self.ranks), len(shape), "a rank for each mode")

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        ranks = self.ranks or tuple(min(size, prod(shape) // size) for size in shape)
        outer, inner = ascii_letters[: len(shape)], ascii_letters[len(shape) : 2 * len(shape)]
        modes = {f"mode_{mode}": pair for mode, pair in enumerate(zip(shape, ranks, strict=True))}
        einsum = f"{','.join((inner, *map(''.join, zip(outer, inner, strict=True))))}->{outer}"
        return Multilinear({"core": ranks, **modes}, (Term(of=("core", *modes), einsum=einsum),), {})

    def label(self) -> str:
        return "Tucker" if self.ranks is None else f"Tucker, ranks {', '.join(map(str, self.ranks))}"
