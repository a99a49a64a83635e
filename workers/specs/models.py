"""Models: how the matrix is written as a product of trained factors."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Count, SpecModel

DEEPEST = 1000
"""Factors of the deepest model: each costs memory and time even where it is tiny."""


class DeepMatrix(SpecModel, frozen=True):
    """W = F1 F2 ... FL, a deep linear network; hidden widths are min(rows, columns) unless given."""

    kind: Literal["deep_matrix"] = "deep_matrix"
    depth: Annotated[Count, Field(le=DEEPEST)]
    hidden_width: Count | None = None

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Shapes of F1 ... FL for a product of `shape` (rows, columns)."""
        width = self.hidden_width or min(shape)
        widths = [shape[0], *[width] * (self.depth - 1), shape[1]]
        return tuple(pairwise(widths))


Model = DeepMatrix
