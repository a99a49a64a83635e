"""Shapes and indices of matrices and tensors, and the arithmetic of shapes."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from workers.runs.base import Count, Listed, Natural, misfit, nested_numbers

HIGHEST_ORDER = 12
"""Most dimensions of a tensor; 2 x 2 x ... x 2 of this order has 4096 entries."""


def _check_order(shape: tuple[int, ...]) -> tuple[int, ...]:
    if not 2 <= len(shape) <= HIGHEST_ORDER:
        raise misfit(
            (), f"This shape has {len(shape)} dimensions; give 2 for a matrix, or up to {HIGHEST_ORDER} for a tensor."
        )
    return shape


Shape = Annotated[tuple[Count, ...], Listed, AfterValidator(_check_order)]
Index = Annotated[tuple[Natural, ...], Listed]
Matrix = Annotated[tuple[Annotated[tuple[float, ...], Listed], ...], Listed]
Tensor = Annotated[tuple[Any, ...], Listed, BeforeValidator(nested_numbers)]
"""Nested lists of numbers, one level of nesting per dimension."""


def highest_rank(shape: Sequence[int]) -> int:
    """The product of all dimensions but the largest; no matrix or tensor of the shape needs more components."""
    return prod(shape) // max(shape)


def halves_of(shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Dimensions of a tensor cut into first and last modes, so that the products of the two halves have the least sum.

    Reshaped to (product of the first half, product of the last), the tensor is A B^T, where A and B are the Khatri-Rao
    products of the factors of each half. No intermediate is larger than A, B or the tensor.
    """
    cut = min(range(1, len(shape)), key=lambda cut: prod(shape[:cut]) + prod(shape[cut:]))
    return tuple(shape[:cut]), tuple(shape[cut:])
