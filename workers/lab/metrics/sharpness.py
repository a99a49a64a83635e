"""Sharpness: the largest eigenvalue of the Hessian of the loss in all trained numbers, at recorded points.

Products with the Hessian come from differentiating the gradient once more (Pearlmutter 1994), for all points of a block
at once. Small Hessians are written out, one product for each column; of larger ones the largest eigenvalue is found by
Lanczos' method with full reorthogonalisation (Golub and Van Loan 2013, section 10.3) from one seeded start.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from workers.lab.metrics.hessians import WHOLE, Hessian, filled_up, over_hessians
from workers.lab.metrics.scaling import norm
from workers.lab.metrics.state import State
from workers.runs.costs import trained_numbers
from workers.runs.metrics.work import MOST_HESSIAN_PRODUCTS

Times = Callable[[Tensor], Tensor]
"""The product of every point's Hessian with a vector of its own, (points, numbers) each."""

MOST_WRITTEN_OUT = 64
"""Trained numbers up to which the whole Hessian is written out."""

SETTLED = 1e-9
"""Residual, as a fraction of the largest Ritz value in size, below which an eigenvalue is found."""

PRODUCTS_BETWEEN_LOOKS = 5
NEGLIGIBLE = 1e-14
"""A remainder below this fraction of the largest Ritz value is rounding: the subspace is invariant."""


def sharpness(state: State) -> Tensor:
    """The largest eigenvalue at the points of the runs that record it, (points,); NaN elsewhere, and if not settled."""
    written_out = trained_numbers(state.specs[0]) <= MOST_WRITTEN_OUT
    kept = WHOLE if written_out else MOST_HESSIAN_PRODUCTS
    return over_hessians(state, "sharpness", 16 if written_out else 2, kept, largest_eigenvalues)


FORMULAS: dict[str, Callable[[State], Tensor]] = {"sharpness": sharpness}


def largest_eigenvalues(hessian: Hessian) -> Tensor:
    """The largest eigenvalue of every Hessian, (points,); NaN where Lanczos' method has not found it."""
    points, numbers = hessian.shape
    if numbers <= MOST_WRITTEN_OUT:
        return _of_whole(hessian)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(numbers, generator=generator, dtype=torch.float64)
    return lanczos(hessian.times, (start / start.norm()).repeat(points, 1))


def _of_whole(hessian: Hessian) -> Tensor:
    """The largest eigenvalues of Hessians that are written out, (points,).

    What is added to the diagonal is an entry of it, which is no larger than the largest eigenvalue.
    """
    whole, finite = hessian.written_out()
    filled = filled_up(whole, whole[:, 0, 0])
    return torch.where(finite, torch.linalg.eigvalsh(filled)[:, -1], torch.nan)


@torch.no_grad()
def lanczos(times: Times, start: Tensor) -> Tensor:
    """The largest eigenvalue of every matrix, (points,), NaN where it has not settled or a product is not finite.

    A point's answer is that of the first look at which it had settled, so it does not depend on the points beside it.

    Args:
        start: (points, numbers), of norm 1.
    """
    points, numbers = start.shape
    most = min(numbers, MOST_HESSIAN_PRODUCTS)
    basis = start.new_zeros(points, most + 1, numbers)
    triangle = start.new_zeros(points, most, most)
    found, broken = start.new_full((points,), torch.nan), start.new_zeros(points, dtype=torch.bool)
    basis[:, 0] = start
    for k in range(most):
        remainder = times(basis[:, k])
        broken |= ~remainder.isfinite().all(dim=1)
        remainder = torch.where(broken[:, None], 0.0, remainder)
        triangle[:, k, k] = (basis[:, None, k] @ remainder[:, :, None])[:, 0, 0]
        known = basis[:, : k + 1]
        for _ in range(2):
            remainder = remainder - (known.mT @ (known @ remainder[:, :, None]))[:, :, 0]
        length = _extend(basis, triangle, k, remainder)
        if (k + 1) % PRODUCTS_BETWEEN_LOOKS == 0 or k + 1 == most:
            _look(triangle[:, : k + 1, : k + 1], length, found, everything=k + 1 == numbers)
            if not found.isnan().any():
                break
    return torch.where(broken, torch.nan, found)


def _extend(basis: Tensor, triangle: Tensor, k: int, remainder: Tensor) -> Tensor:
    """The next basis vector, zero where the subspace is invariant; its length before it was made a unit, (points,).

    Behind an invariant subspace the diagonal repeats its first entry, a Rayleigh quotient: no Ritz value grows by it.
    """
    scale = triangle[:, : k + 1, : k + 1].abs().amax(dim=(1, 2))
    length = norm(remainder, (1,))
    is_dead = (basis[:, k] == 0).all(dim=1)
    triangle[:, k, k] = torch.where(is_dead, triangle[:, 0, 0], triangle[:, k, k])
    length = torch.where(length > NEGLIGIBLE * scale, length, 0.0)
    basis[:, k + 1] = torch.where(length[:, None] > 0, remainder / length[:, None], 0.0)
    if k + 1 < triangle.shape[1]:
        triangle[:, k, k + 1] = triangle[:, k + 1, k] = length
    return length


def _look(triangle: Tensor, length: Tensor, found: Tensor, everything: bool) -> None:
    """Enter the largest Ritz values that have settled, in place: all of them once the basis spans everything."""
    values, vectors = torch.linalg.eigh(triangle)
    residual = length * vectors[:, -1, -1].abs()
    settled = (residual <= SETTLED * values.abs().amax(dim=1)) | everything
    found.copy_(torch.where(found.isnan() & settled, values[:, -1], found))
