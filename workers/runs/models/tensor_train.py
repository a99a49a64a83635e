"""Tensor trains: a chain of cores, one for every mode."""

from collections.abc import Mapping, Sequence
from math import prod
from string import ascii_letters
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from workers.runs.base import Count, Listed
from workers.runs.contractions.multilinear import Multilinear, Term
from workers.runs.models.base import Cut
from workers.runs.models.resolved import ResolvedModel, check_count


class TensorTrain(ResolvedModel, frozen=True):
    """W_ijk = sum over a, b of core_0_ia core_1_ajb core_2_bk, and so on of any order (Oseledets 2011).

    Attributes:
        ranks: of the bonds between neighbouring cores, one fewer than modes; unless given the product of the dimensions
            on the smaller side of the bond, which constrains no tensor.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "tensor_train"}

    kind: Literal["tensor_train"]
    ranks: Annotated[tuple[Count, ...], Listed, Field(min_length=1)] | None = None

    def check_shape(self, shape: Sequence[int]) -> None:
        if self.ranks is not None:
            check_count("ranks", len(self.ranks), len(shape) - 1, "a rank for each pair of neighbouring modes")

    def resolve(self, shape: Sequence[int]) -> Multilinear:
        order = len(shape)
        ranks = self.ranks or tuple(min(prod(shape[:cut]), prod(shape[cut:])) for cut in range(1, order))
        outer, bonds = ascii_letters[:order], ascii_letters[order : 2 * order - 1]
        letters = [bonds[max(mode - 1, 0) : mode] + outer[mode] + bonds[mode : mode + 1] for mode in range(order)]
        sizes = dict(zip(outer + bonds, (*shape, *ranks), strict=True))
        cores = {f"core_{mode}": tuple(sizes[letter] for letter in core) for mode, core in enumerate(letters)}
        return Multilinear(cores, (Term(of=tuple(cores), einsum=f"{','.join(letters)}->{outer}"),), {})

    def cuts(self, shape: Sequence[int]) -> tuple[Cut, ...]:
        """Of every bond."""
        return tuple((0, cut) for cut in range(1, len(shape)))

    def label(self) -> str:
        return "tensor train" if self.ranks is None else f"tensor train, ranks {', '.join(map(str, self.ranks))}"
