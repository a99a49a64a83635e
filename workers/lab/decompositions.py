"""Decompositions of the matrices of a batch, each by itself, that a matrix of a diverged run does not spoil.

LAPACK refuses numbers that are not finite. A run that has just diverged has some, and takes the steps of its chunk to
the end; its parts are NaN.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def svd(matrices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, S and V^T of matrices (runs, rows, columns), as contiguous (runs, rows, k), (runs, k), (runs, k, columns)."""
    left, values, right = _of_finite(_svd, matrices)
    return left, values, right


def eigh(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (runs, n), rising, and eigenvectors (runs, n, n) of symmetric matrices; reads lower triangles."""
    values, vectors = _of_finite(torch.linalg.eigh, matrices)
    return values, vectors


def _svd(matrices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.linalg.svd(matrices, full_matrices=False)


def _of_finite(decompose: Callable[[Tensor], tuple[Tensor, ...]], matrices: Tensor) -> list[Tensor]:
    finite = matrices.isfinite().flatten(1).all(dim=1)
    parts = decompose(torch.where(finite[:, None, None], matrices, 0.0))
    return [torch.where(finite.view(-1, *[1] * (part.dim() - 1)), part, torch.nan).contiguous() for part in parts]
