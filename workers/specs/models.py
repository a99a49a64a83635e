"""Models: how the matrix or tensor is written as a product of trained factors."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Count, SpecModel
from workers.specs.problems import highest_rank

DEEPEST = 1000
"""Factors of the deepest model: each costs memory and time even where it is tiny."""


class DeepMatrix(SpecModel, frozen=True):
    """W = F1 F2 ... FL, a deep linear network; hidden widths are min(rows, columns) unless given."""

    kind: Literal["deep_matrix"]
    depth: Annotated[Count, Field(le=DEEPEST)]
    hidden_width: Count | None = None

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Shapes of F1 ... FL for a product of `shape` (rows, columns)."""
        width = self.hidden_width or min(shape)
        widths = [shape[0], *[width] * (self.depth - 1), shape[1]]
        return tuple(pairwise(widths))


class CpTensor(SpecModel, frozen=True):
    """W = sum over r of f1_r x ... x fN_r, a sum of `rank` outer products (Canonical Polyadic), of any order N >= 2.

    Factor n holds the vectors fn_r of its mode as columns. Unless given, the rank is the product of all dimensions but
    the largest, which constrains no tensor.
    """

    kind: Literal["cp_tensor"]
    rank: Count | None = None

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Shapes (dimension, rank) of f1 ... fN."""
        return tuple((dimension, self.rank or highest_rank(shape)) for dimension in shape)


def halves_of(shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The modes of a tensor in two halves, first modes and last, whose products of dimensions add up to the least.

    Reshaped to (product of the first half, product of the last), the tensor is A B^T with A and B the Khatri-Rao
    products of the factors of each half, and no intermediate is larger than these three.
    """
    cut = min(range(1, len(shape)), key=lambda cut: prod(shape[:cut]) + prod(shape[cut:]))
    return tuple(shape[:cut]), tuple(shape[cut:])


Model = Annotated[DeepMatrix | CpTensor, Field(discriminator="kind")]
