"""The numerical CP rank of a tensor: the least R whose best CP fit has mean squared error below a tolerance.

Exact CP rank is NP-hard (Hastad 1990), and a fit that alternating least squares did not find may exist all the same:
the answer is an estimate, too high if anything. Of a matrix it is exact, by its singular values.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.metrics.matricisations import matricised
from workers.lab.models.cp_tensor import khatri_rao

RANK_TOLERANCE = 1e-6
"""Mean squared error below which a fit counts as the tensor, as a fraction of the squared norm of the data.

Of data with Frobenius norm 1 it is the mean squared error of Razin and Cohen 2020."""

ROUNDING_TOLERANCE = 1e-12
"""Singular values above this fraction of the largest count in the rank of a tensor that is given, not fitted."""

STARTS = 4
"""Random starts of the fits of one rank, taken side by side."""

MOST_SWEEPS, SWEEPS_BETWEEN_LOOKS = 1000, 10
STALLED = 1e-3
"""Fits have stalled when the best one's error fell by less than this fraction between two looks."""

RIDGE = 1e-12
"""Added to the normal equations, as a fraction of their mean diagonal: more components than are needed are no error."""

Array = npt.NDArray[np.float64]


@torch.inference_mode()
def rank_bound(tensor: Array, tolerance: float = RANK_TOLERANCE) -> int:
    """No fit of a lower rank can pass: the most that any matricisation needs (Eckart and Young 1936).

    Args:
        tolerance: mean squared error below which a fit passes; by default that of data with norm 1.
    """
    whole = torch.from_numpy(tensor)
    return max(_matrix_rank(matrix, tolerance) for matrix in _matricisations(whole))


@torch.inference_mode()
def exact_rank_bound(tensor: Array) -> int:
    """The most that any matricisation needs to be met but for ROUNDING_TOLERANCE."""
    values = [torch.linalg.svdvals(matrix) for matrix in _matricisations(torch.from_numpy(tensor))]
    return max(int((each > ROUNDING_TOLERANCE * each[0]).sum()) for each in values)


@torch.inference_mode()
def fits_rank(tensor: Array, rank: int, tolerance: float = RANK_TOLERANCE) -> bool:
    """Whether some fit of `rank` components has mean squared error below `tolerance`; the same at every call.

    Alternating least squares (Carroll and Chang 1970, Harshman 1970) from STARTS random starts side by side.
    """
    whole = torch.from_numpy(tensor)[None]
    unfoldings = [matricised(whole, mode) for mode in range(tensor.ndim)]
    factors = _starts(whole, rank)
    error = torch.inf
    for sweep in range(1, MOST_SWEEPS + 1):
        _sweep(unfoldings, factors)
        if sweep % SWEEPS_BETWEEN_LOOKS == 0:
            before, error = error, _least_error(unfoldings[-1], factors)
            if error < tolerance:
                return True
            if error > (1 - STALLED) * before:
                return False
    return False


def _starts(whole: Tensor, rank: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(rank)
    sizes = whole.shape[1:]
    return [torch.randn(STARTS, size, rank, generator=generator, dtype=whole.dtype) for size in sizes]


def _sweep(unfoldings: list[Tensor], factors: list[Tensor]) -> None:
    """Solve for each factor in turn, in place: F_n (product of the other Grams) = T_(n) (Khatri-Rao of the others)."""
    grams = [factor.mT @ factor for factor in factors]
    for mode, unfolding in enumerate(unfoldings):
        others = [factor for other, factor in enumerate(factors) if other != mode]
        normal = torch.stack([gram for other, gram in enumerate(grams) if other != mode]).prod(dim=0)
        diagonal = normal.diagonal(dim1=1, dim2=2)
        diagonal += RIDGE * diagonal.mean(dim=1, keepdim=True) + torch.finfo(normal.dtype).tiny
        triangle = torch.linalg.cholesky_ex(normal).L
        right = (unfolding @ khatri_rao(others)).mT
        factors[mode] = torch.cholesky_solve(right, triangle).mT
        grams[mode] = factors[mode].mT @ factors[mode]


def _least_error(unfolding: Tensor, factors: list[Tensor]) -> float:
    """Mean squared error of the best start; a fit that left the finite numbers is none."""
    residual = unfolding - factors[-1] @ khatri_rao(factors[:-1]).mT
    return float(residual.square().mean(dim=(1, 2)).nan_to_num(torch.inf).min())


def _matrix_rank(matrix: Tensor, tolerance: float) -> int:
    """Least k whose best rank-k approximation has mean squared error below `tolerance`."""
    squares = torch.linalg.svdvals(matrix).square()
    beyond = squares.flip(0).cumsum(0).flip(0) / matrix.numel()
    return int(((beyond >= tolerance) & (beyond > 0)).sum())


def _matricisations(whole: Tensor) -> Iterator[Tensor]:
    """One for each way to split the modes in two, the first mode on the left to count each way once."""
    modes = range(1, whole.ndim)
    for count in range(whole.ndim - 1):
        for chosen in combinations(modes, count):
            left = (0, *chosen)
            right = [mode for mode in modes if mode not in chosen]
            yield whole.permute(*left, *right).flatten(len(left)).flatten(0, len(left) - 1)
