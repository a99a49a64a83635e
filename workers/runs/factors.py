"""Factors as numpy arrays: splitting, balancing, and the sign of their product's determinant."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.runs.scaling import unit_product

Factor = npt.NDArray[np.float64]
Shapes = Sequence[tuple[int, ...]]


def split_factors(flat: npt.NDArray[Any], shapes: Shapes) -> list[npt.NDArray[Any]]:
    """Factors (..., rows, columns), first to last, from flat ones (..., trained numbers and whatever follows them)."""
    ends = np.cumsum([prod(shape) for shape in shapes])
    parts = np.split(flat[..., : ends[-1]], ends[:-1], axis=-1)
    return [part.reshape(*part.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]


def balanced_factors(product: Factor, shapes: Shapes, scale: float = 1.0) -> list[Factor]:
    """Split a product A = U S V^T into factors U S^(1/L), S^(1/L), ..., S^(1/L) V^T (Arora, Cohen, Hazan 2018).

    Hidden widths above the rank are padded with zeros; narrower ones keep the largest singular values. Either way
    F_j^T F_j = F_(j+1) F_(j+1)^T.

    Args:
        scale: of every factor, so that the product is scale^L A, which may leave the range of floats.
    """
    depth = len(shapes)
    if depth == 1 or not np.isfinite(product).all():
        return [scale * product] * depth
    left, singular_values, right = np.linalg.svd(product, full_matrices=False)
    return spread_factors(left, scale * singular_values ** (1 / depth), right, shapes)


def spread_factors(left: Factor, root: Factor, right: Factor, shapes: Shapes) -> list[Factor]:
    """Two or more factors U R, R, ..., R V^T of the given shapes.

    Args:
        left, right: U (rows, k) and V^T (k, columns).
        root: (k,), the diagonal of R.
    """
    factors = [left * root, *[np.diag(root)] * (len(shapes) - 2), root[:, None] * right]
    return [_fitted(factor, shape) for factor, shape in zip(factors, shapes, strict=True)]


def leading_part(matrix: Factor, rank: int) -> tuple[Factor, Factor, Factor]:
    """U (rows, rank), s (rank,) and V^T (rank, columns) of the largest singular values of a matrix."""
    left, singular_values, right = np.linalg.svd(matrix, full_matrices=False)
    return left[:, :rank], singular_values[:rank], right[:rank]


def balancedness_gaps(factors: Sequence[Factor]) -> list[Factor]:
    """F_j^T F_j - F_(j+1) F_(j+1)^T for each j, which a gradient flow conserves (Arora, Cohen, Hazan 2018)."""
    return [left.T @ left - right @ right.T for left, right in pairwise(factors)]


def determinant_sign(chain: Sequence[Factor]) -> int:
    """Sign of the determinant of a chain's square product: 1, -1 or 0.

    The signs of square factors are multiplied, because the product itself may underflow; others are scaled.
    """
    if all(factor.shape[0] == factor.shape[1] for factor in chain):
        return int(np.nan_to_num(np.prod([np.linalg.slogdet(factor).sign for factor in chain])))
    return int(np.nan_to_num(np.linalg.slogdet(unit_product(chain)).sign))


def _fitted(factor: Factor, shape: Sequence[int]) -> Factor:
    fitted = np.zeros(shape)
    rows, columns = min(shape[0], factor.shape[0]), min(shape[1], factor.shape[1])
    fitted[:rows, :columns] = factor[:rows, :columns]
    return fitted
