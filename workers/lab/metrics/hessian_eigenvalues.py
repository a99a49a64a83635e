"""The largest eigenvalues of the Hessian of the loss, each as often as it is repeated.

Small Hessians are written out. Of larger ones the eigenvalues are found by block Lanczos with full reorthogonalisation
(Golub and Van Loan 2013, section 10.3.6) from a seeded block: a single vector would find a repeated eigenvalue once.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from workers.lab.metrics.hessians import WHOLE, Hessian, filled_up, over_hessians
from workers.lab.metrics.scaling import times_power, unit_of
from workers.lab.metrics.state import State
from workers.runs.costs import trained_numbers
from workers.runs.metrics.work import HESSIAN_EIGENVALUES, LARGEST_WHOLE_HESSIAN, MOST_BLOCK_PRODUCTS

BLOCK = 16
"""Vectors of a block: more than the eigenvalues wanted, which then settle sooner; whole cache lines of numbers."""

SETTLED = 1e-7
"""Residual, as a fraction of the largest Ritz value in size, below which an eigenvalue is found; it bounds the error,
which is of the order of the residual squared where the eigenvalue is far from others."""

BLOCKS_BETWEEN_LOOKS = 4


def hessian_eigenvalues(state: State) -> Tensor:
    """The largest eigenvalues, largest first, (points, at most HESSIAN_EIGENVALUES); NaN from the first not settled."""
    numbers = trained_numbers(state.specs[0])
    written_out = numbers <= LARGEST_WHOLE_HESSIAN
    measure, kept = (of_whole, WHOLE) if written_out else (block_lanczos, MOST_BLOCK_PRODUCTS)
    return over_hessians(state, "hessian_eigenvalues", 16 if numbers <= 64 else 2, kept, measure)


FORMULAS: dict[str, Callable[[State], Tensor]] = {"hessian_eigenvalues": hessian_eigenvalues}


@torch.no_grad()
def of_whole(hessian: Hessian) -> Tensor:
    """The largest eigenvalues of Hessians that are written out; those that fill them up are below all others."""
    with torch.enable_grad():
        whole, finite = hessian.written_out()
    unit, exponent = unit_of(whole, (1, 2))
    below = -unit.abs().sum(dim=2).amax(dim=1)  # Gershgorin
    values = torch.linalg.eigvalsh(filled_up(unit, below)).flip(1)[:, : min(HESSIAN_EIGENVALUES, whole.shape[1])]
    return torch.where(finite[:, None], times_power(values, exponent[:, None]), torch.nan)


@torch.no_grad()
def block_lanczos(hessian: Hessian) -> Tensor:
    """The largest eigenvalues of Hessians by their products with blocks of vectors.

    There are more numbers than vectors in the basis (LARGEST_WHOLE_HESSIAN), so that a further block is always there.
    A point's answer is that of the first look at which it had settled, so it does not depend on the points beside it.
    """
    points, numbers = hessian.shape
    found = torch.full((points, HESSIAN_EIGENVALUES), torch.nan, dtype=torch.float64)
    basis = found.new_zeros(points, MOST_BLOCK_PRODUCTS + BLOCK, numbers)
    projected = found.new_zeros(points, MOST_BLOCK_PRODUCTS, MOST_BLOCK_PRODUCTS)
    broken = torch.zeros(points, dtype=torch.bool)
    basis[:, :BLOCK] = _start(numbers)
    for end in range(BLOCK, MOST_BLOCK_PRODUCTS + 1, BLOCK):
        remainder = torch.stack([hessian.times(basis[:, i]) for i in range(end - BLOCK, end)], dim=1)
        broken |= ~remainder.isfinite().flatten(1).all(dim=1)
        coupling = _extend(basis, projected, torch.where(broken[:, None, None], 0.0, remainder), end)
        if end // BLOCK % BLOCKS_BETWEEN_LOOKS == 0 or end == MOST_BLOCK_PRODUCTS:
            _look(projected[:, :end, :end], coupling, found)
            if (~found.isnan().any(dim=1) | broken).all():
                break
    return torch.where(broken[:, None], torch.nan, found)


def _start(numbers: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.linalg.qr(torch.randn(numbers, BLOCK, generator=generator, dtype=torch.float64))[0].T


def _extend(basis: Tensor, projected: Tensor, remainder: Tensor, end: int) -> Tensor:
    """Enter a block of products (points, BLOCK, numbers) and the next block of the basis; what couples the two.

    Where the subspace is invariant the remainder is rounding, and the next block is any that is orthogonal to it.
    """
    known = basis[:, :end]
    block = known @ remainder.mT
    projected[:, :end, end - BLOCK : end] = block
    projected[:, end - BLOCK : end, :end] = block.mT
    for _ in range(2):
        remainder = remainder - (known @ remainder.mT).mT @ known
    following, coupling = torch.linalg.qr(remainder.mT)
    following = following.mT
    for _ in range(2):
        following = following - (known @ following.mT).mT @ known
        following = torch.linalg.qr(following.mT)[0].mT
    basis[:, end : end + BLOCK] = following
    return coupling


def _look(projected: Tensor, coupling: Tensor, found: Tensor) -> None:
    """Enter the largest Ritz values that have settled, with all that are larger, in place."""
    values, vectors = torch.linalg.eigh((projected + projected.mT) / 2)
    size, wanted = values.abs().amax(dim=1, keepdim=True), found.shape[1]
    residual = torch.linalg.vector_norm(coupling @ vectors[:, -BLOCK:, -wanted:], dim=1).flip(1)
    settled = (residual <= SETTLED * size).cumprod(dim=1).bool()
    found.copy_(torch.where(found.isnan() & settled, values[:, -wanted:].flip(1), found))
