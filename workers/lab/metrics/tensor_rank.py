"""The numerical CP rank of a tensor: the least R whose best CP fit has mean squared error below RANK_TOLERANCE.

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
"""Mean squared error below which a fit counts as the tensor."""

STARTS = 4
"""Random starts of the fits of one rank, taken side by side."""

MOST_SWEEPS, SWEEPS_BETWEEN_LOOKS = 1000, 10
STALLED = 1e-3
"""Fits have stalled when the best one's error fell by less than this fraction between two looks."""

RIDGE = 1e-12
"""Added to the normal equations, as a fraction of their mean diagonal: more components than are needed are no error."""

Array = npt.NDArray[np.float64]


@torch.inference_mode()
def rank_bound(tensor: Array) -> int:
    """No fit of a lower rank can pass: the most that any matricisation needs (Eckart and Young 1936)."""
    whole = torch.from_numpy(tensor)
    return max(_matrix_rank(one) for one in _matricisations(whole))


@torch.inference_mode()
def fits_rank(tensor: Array, rank: int) -> bool:
    """Whether some fit of `rank` components has mean squared error below RANK_TOLERANCE; the same at every call.

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
            if error < RANK_TOLERANCE:
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


def _matrix_rank(matrix: Tensor) -> int:
    """Least k whose best rank-k approximation has mean squared error below RANK_TOLERANCE."""
    squares = torch.linalg.svdvals(matrix).square()
    beyond = squares.flip(0).cumsum(0).flip(0) / matrix.numel()
    return int((beyond >= RANK_TOLERANCE).sum())


def _matricisations(whole: Tensor) -> Iterator[Tensor]:
    """One for each way to split the modes in two, the first mode on the left to count each way once."""
    modes = range(1, whole.ndim)
    for count in range(whole.ndim - 1):
        for chosen in combinations(modes, count):
            left = (0, *chosen)
            right = [mode for mode in modes if mode not in chosen]
            yield whole.permute(*left, *right).flatten(len(left)).flatten(0, len(left) - 1)
