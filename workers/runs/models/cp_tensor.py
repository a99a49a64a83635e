"""Canonical Polyadic factorisation: W = sum over r of f1_r x ... x fN_r."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp, log, prod
from typing import Any, ClassVar, Literal

import numpy as np

from workers.runs.base import Count
from workers.runs.contractions.invariants import Axis
from workers.runs.factors import Factor, leading_part
from workers.runs.models.base import ModelBase
from workers.runs.scaling import LEAST_PRODUCT
from workers.runs.shapes import halves_of, highest_rank
from workers.runs.starts.gaussian import Gaussian


class CpTensor(ModelBase, frozen=True):
    """W = sum over r of f1_r x ... x fN_r, a sum of `rank` outer products (Canonical Polyadic), of any order N >= 2.

    Factor n holds the vectors fn_r of its mode as columns. Unless given, the rank is the product of all dimensions but
    the largest, which constrains no tensor.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "cp_tensor", "rank": 2}
    sums_components: ClassVar[bool] = True
    evaluates_entries: ClassVar[bool] = True

    kind: Literal["cp_tensor"]
    rank: Count | None = None

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Shapes (dimension, rank) of f1 ... fN."""
        return tuple((dimension, self.rank or highest_rank(shape)) for dimension in shape)

    def depth_of(self, shape: Sequence[int]) -> int:
        """The order: a component is the product of one vector per mode."""
        return len(shape)

    def check_shape(self, shape: Sequence[int]) -> None:
        """Every order and shape is possible."""

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """Three matrix products of the halves' Khatri-Rao products; three passes over each half of several modes."""
        rank = self.factor_shapes(shape)[0][1]
        halves = halves_of(shape)
        return 3 * rank * prod(shape) + 3 * rank * sum(prod(half) for half in halves if len(half) > 1)

    def intermediate_numbers(self, shape: Sequence[int]) -> int:
        rank = self.factor_shapes(shape)[0][1]
        return sum(3 * prod(half) * rank for half in halves_of(shape))

    def draw(self, start: Gaussian, shape: Sequence[int], stream: np.random.Generator) -> list[Factor]:
        std = self.entry_std(start, shape)
        return [std * stream.standard_normal(factor) for factor in self.factor_shapes(shape)]

    def entry_std(self, start: Gaussian, shape: Sequence[int]) -> float:
        shapes = self.factor_shapes(shape)
        return component_factor_std(start, len(shapes), shapes[0][1])

    def chain(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        return [factors[0], factors[1].T]

    def conserved(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        """||f_r of a mode||^2 - ||f_r of the next mode||^2 for each component (Razin, Maman, Cohen 2021)."""
        return [(left**2).sum(axis=0) - (right**2).sum(axis=0) for left, right in pairwise(factors)]

    def component_axes(self, shape: Sequence[int]) -> tuple[tuple[Axis, ...], ...]:
        return (tuple((mode, 1) for mode in range(len(shape))),)

    def most_split_rank(self, shape: Sequence[int]) -> int:
        return min(*shape, self.factor_shapes(shape)[0][1]) if len(shape) == 2 else 0

    def split(self, matrix: Factor, rank: int) -> list[Factor]:
        left, singular_values, right = leading_part(matrix, rank)
        factors = [np.zeros(shape) for shape in self.factor_shapes(matrix.shape)]
        for factor, vectors in zip(factors, (left, right.T), strict=True):
            factor[:, :rank] = vectors * singular_values**0.5
        return factors

    def label(self) -> str:
        return "components of a tensor"

    def components(self, shape: Sequence[int]) -> int | None:
        return self.factor_shapes(shape)[0][1]


def component_factor_std(start: Gaussian, order: int, rank: int) -> float:
    """Standard deviation of the entries of the factors of `rank` components.

    An entry of the product is a sum of `rank` products of `order` independent entries, with variance
    rank * std^(2 order).
    """
    if start.std_of == "factor":
        return start.common_std
    std = start.common_std / rank**0.5
    return std ** (1 / order) if std >= LEAST_PRODUCT else exp((log(start.common_std) - log(rank) / 2) / order)
