"""Metrics that need the factors themselves; each takes factors (points, rows, columns), first to last."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from workers.models.deep_matrix import product


def log_determinant(factors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sign and ln|.| of the determinant of a square product, each (points,).

    Square factors are taken one by one, det W = det F1 ... det FL: the determinant of the product itself is lost to
    rounding, then to underflow, long before those of the factors are.
    """
    square = all(factor.shape[1] == factor.shape[2] for factor in factors)
    narrowest = min(factor.shape[2] for factor in factors)
    if not square and narrowest < factors[0].shape[1]:
        zero = factors[0].new_zeros(len(factors[0]))
        return zero, zero.log()
    parts = [torch.linalg.slogdet(factor) for factor in (factors if square else [product(factors)])]
    sign = torch.stack([part.sign for part in parts]).prod(dim=0)
    return sign, torch.stack([part.logabsdet for part in parts]).sum(dim=0)


def balancedness_gap(factors: Sequence[Tensor]) -> Tensor:
    """max over j of ||F_j^T F_j - F_(j+1) F_(j+1)^T||_F (Arora, Cohen, Hazan 2018); needs two factors or more."""
    gaps = [torch.linalg.matrix_norm(left.mT @ left - right @ right.mT) for left, right in pairwise(factors)]
    return torch.stack(gaps).amax(dim=0)
