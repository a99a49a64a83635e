"""Deep matrix factorisation: W = F1 F2 ... FL."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp, inf, log
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from workers.runs.base import Count
from workers.runs.factors import Factor, balanced_factors, balancedness_gaps, leading_part, spread_factors
from workers.runs.models.base import ModelBase, check_is_matrix
from workers.runs.starts.gaussian import Gaussian

DEEPEST = 1000
"""Most factors of a model: each costs memory and time even where it is tiny."""

LARGEST_EXPONENT = log(np.finfo(np.float64).max)

LEAST_PRODUCT_STD, MOST_PRODUCT_STD = 2.0**-960, 2.0**1016
"""Beyond these the entries of a balanced product may leave the range of floats, and its factors are scaled instead."""


class DeepMatrix(ModelBase, frozen=True):
    """W = F1 F2 ... FL, a deep linear network; hidden widths are min(rows, columns) unless given."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "deep_matrix", "depth": 3, "hidden_width": 2}
    is_fusable: ClassVar[bool] = True
    is_chain: ClassVar[bool] = True
    width_name: ClassVar[str] = "hidden width"

    kind: Literal["deep_matrix"]
    depth: Annotated[Count, Field(le=DEEPEST)]
    hidden_width: Count | None = None

    def factor_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Shapes of F1 ... FL."""
        width = self.hidden_width or min(shape)
        widths = [shape[0], *[width] * (self.depth - 1), shape[1]]
        return tuple(pairwise(widths))

    def depth_of(self, shape: Sequence[int]) -> int:
        return self.depth

    def check_shape(self, shape: Sequence[int]) -> None:
        check_is_matrix(self.kind, shape)

    def multiply_adds(self, shape: Sequence[int]) -> int:
        """3 (L - 1) products of matrices: L - 1 forward, 2 (L - 1) back."""
        factors = self.factor_shapes(shape)
        return 3 * sum(factors[0][0] * inner * outer for inner, outer in factors[1:])

    def intermediate_numbers(self, shape: Sequence[int]) -> int:
        factors = self.factor_shapes(shape)
        return sum(factors[0][0] * columns for _, columns in factors[1:])

    def draw(self, start: Gaussian, shape: Sequence[int], stream: np.random.Generator) -> list[Factor]:
        """Independent factors, or a balanced split of a drawn product."""
        shapes = self.factor_shapes(shape)
        width = shapes[0][1] if len(shapes) > 1 else 1
        if start.balanced:
            std, normal = product_std(start, len(shapes), width), stream.standard_normal(tuple(shape))
            if LEAST_PRODUCT_STD <= std <= MOST_PRODUCT_STD:
                return balanced_factors(std * normal, shapes)
            return balanced_factors(normal, shapes, balanced_scale(start, len(shapes), width))
        std = factor_std(start, len(shapes), width)
        return [std * stream.standard_normal(factor) for factor in shapes]

    def entry_std(self, start: Gaussian, shape: Sequence[int]) -> float:
        shapes = self.factor_shapes(shape)
        width = shapes[0][1] if len(shapes) > 1 else 1
        return (balanced_scale if start.balanced else factor_std)(start, len(shapes), width)

    def chain(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        return list(factors)

    def conserved(self, factors: Sequence[Factor], shape: Sequence[int]) -> list[Factor]:
        return balancedness_gaps(factors)

    def most_split_rank(self, shape: Sequence[int]) -> int:
        return min(min(factor) for factor in self.factor_shapes(shape))

    def split(self, matrix: Factor, rank: int) -> list[Factor]:
        left, singular_values, right = leading_part(matrix, rank)
        if self.depth == 1:
            return [(left * singular_values) @ right]
        return spread_factors(left, singular_values ** (1 / self.depth), right, self.factor_shapes(matrix.shape))

    def label(self) -> str:
        return f"depth {self.depth}"

    def components(self, shape: Sequence[int]) -> int | None:
        return None

    def batch_words(self, shape: Sequence[int]) -> str:
        return f"depth={self.depth} width={self.factor_shapes(shape)[0][1]}"


def factor_std(start: Gaussian, depth: int, hidden_width: int) -> float:
    """Standard deviation of a factor's entries.

    For independent factors the product's entries have variance std^(2 L) width^(L - 1), so a product std p needs
    (p / width^((L - 1) / 2))^(1 / L) per factor. The off-diagonal entries of U U^T follow the same law with L = 2.
    """
    if start.std_of == "factor":
        return start.common_std
    return exp((log(start.common_std) - (depth - 1) / 2 * log(hidden_width)) / depth)  # the power itself could overflow


def product_std(start: Gaussian, depth: int, hidden_width: int) -> float:
    """Standard deviation of the product's entries, the inverse of `factor_std`."""
    if start.std_of == "product":
        return start.common_std
    exponent = depth * log(start.common_std) + (depth - 1) / 2 * log(hidden_width)
    return exp(exponent) if exponent < LARGEST_EXPONENT else inf


def balanced_scale(start: Gaussian, depth: int, hidden_width: int) -> float:
    """The power 1 / depth of the product's standard deviation, from its logarithm."""
    if start.std_of == "product":
        return exp(log(start.common_std) / depth)
    return exp(log(start.common_std) + (depth - 1) / (2 * depth) * log(hidden_width))
