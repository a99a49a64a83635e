"""Models: how the matrix or tensor is written as a product of trained factors."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from pydantic import Field

from workers.runs.base import Count, Positive, SpecModel
from workers.runs.problems import highest_rank

DEEPEST = 1000
"""Factors of the deepest model: each costs memory and time even where it is tiny."""

LONGEST_SOLVE = 3600.0
"""Seconds that a solver may be given."""


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


class SymmetricMatrix(SpecModel, frozen=True):
    """W = U U^T, symmetric and positive semidefinite; U is (dimension, rank), the rank the dimension unless given."""

    kind: Literal["symmetric_matrix"]
    rank: Count | None = None

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Shape of U, the only factor."""
        return ((shape[0], self.rank or shape[0]),)


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


class NuclearNorm(SpecModel, frozen=True):
    """No descent but a baseline beside it: the W of least nuclear norm with every |W_o - y_o| at most `tolerance`.

    Solved as a semidefinite program (Fazel, Hindi, Boyd 2001). It trains nothing: the start, the optimiser, the stop,
    the schedule and the engine of a run do not apply to it and may be left out; it records one point, at step 0.

    Attributes:
        solver: `clarabel` (interior point, for small matrices), `scs` (first order), or the one that suits the size.
        max_seconds: after which the solver gives up, and the run fails.
    """

    kind: Literal["nuclear_norm"]
    tolerance: Annotated[float, Field(ge=0)] = 1e-3
    solver: Literal["auto", "clarabel", "scs"] = "auto"
    max_seconds: Annotated[Positive, Field(le=LONGEST_SOLVE)] = 600.0

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The shape of W itself."""
        return ((shape[0], shape[1]),)


def halves_of(shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The modes of a tensor in two halves, first modes and last, whose products of dimensions add up to the least.

    Reshaped to (product of the first half, product of the last), the tensor is A B^T with A and B the Khatri-Rao
    products of the factors of each half, and no intermediate is larger than these three.
    """
    cut = min(range(1, len(shape)), key=lambda cut: prod(shape[:cut]) + prod(shape[cut:]))
    return tuple(shape[:cut]), tuple(shape[cut:])


Model = Annotated[DeepMatrix | SymmetricMatrix | CpTensor | NuclearNorm, Field(discriminator="kind")]
