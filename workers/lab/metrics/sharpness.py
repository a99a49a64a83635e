"""Sharpness: the largest eigenvalue of the Hessian of the loss in all trained numbers, at recorded points.

Products with the Hessian come from differentiating the gradient once more (Pearlmutter 1994), for all points of a block
at once. Small Hessians are written out, one product for each column; of larger ones the largest eigenvalue is found by
Lanczos' method with full reorthogonalisation (Golub and Van Loan 2013, section 10.3) from one seeded start.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.metrics.padding import pad_rows
from workers.lab.metrics.scaling import norm
from workers.lab.metrics.state import Members, State
from workers.lab.models.base import product_of
from workers.lab.models.layout import split_factors
from workers.lab.objectives import Objective, build_objective
from workers.runs.costs import trained_numbers, working_numbers
from workers.runs.metrics import metrics_of
from workers.runs.metrics.applicability import MOST_HESSIAN_PRODUCTS
from workers.runs.models.base import ModelBase
from workers.runs.spec import RunSpec

Times = Callable[[Tensor], Tensor]
"""The product of every point's Hessian with a vector of its own, (points, numbers) each."""

MOST_WRITTEN_OUT = 64
"""Trained numbers up to which the whole Hessian is written out."""

ALIGNED_SIZE = 4
"""Matrices of a multiple of so many rows fill whole cache lines, 16 numbers of 8 bytes."""

SETTLED = 1e-9
"""Residual, as a fraction of the largest Ritz value in size, below which an eigenvalue is found."""

PRODUCTS_BETWEEN_LOOKS = 5
NEGLIGIBLE = 1e-14
"""A remainder below this fraction of the largest Ritz value is rounding: the subspace is invariant."""

BLOCK_BYTES = 64 * 2**20
"""Memory of one block of points."""


def sharpness(state: State) -> Tensor:
    """The largest eigenvalue at the points of the runs that record it, (points,); NaN elsewhere, and if not settled."""
    measured = np.array(["sharpness" in metrics_of(spec) for spec in state.specs])
    rows = np.nonzero(measured[state.member])[0]
    with torch.inference_mode(False), torch.enable_grad():
        factors = [factor[torch.from_numpy(rows)] for factor in state.factors]
        values = _measure(state, state.member[rows], factors)
    column = np.full(len(state.member), np.nan)
    column[rows] = values
    return torch.from_numpy(column)


FORMULAS: dict[str, Callable[[State], Tensor]] = {"sharpness": sharpness}


def _measure(state: State, member: Members, factors: Sequence[Tensor]) -> npt.NDArray[np.float64]:
    """The largest eigenvalues, (points,), in blocks of whole vectors (`workers.lab.metrics.padding`)."""
    spec = state.specs[0]
    values, multiple = np.zeros(len(member)), 16 if trained_numbers(spec) <= MOST_WRITTEN_OUT else 2
    rows = _rows_per_block(spec, multiple)
    objective = build_objective(state.specs, torch.float64, torch.device("cpu"))
    for start in range(0, len(member), rows):
        block = slice(start, min(start + rows, len(member)))
        chosen = objective.select(torch.from_numpy(pad_rows(member[block], multiple)))
        hessian = Hessian(spec.model, chosen, [pad_rows(factor[block], multiple) for factor in factors])
        values[block] = largest_eigenvalues(hessian)[: block.stop - block.start].numpy()
    return values


class Hessian:
    """The Hessians of the losses of many points, by their products with vectors.

    Args:
        model: of all points.
        objective: the observations of each point.
        factors: (points, rows, columns) each.
    """

    def __init__(self, model: ModelBase, objective: Objective, factors: Sequence[Tensor]) -> None:
        self._factors = [factor.detach().requires_grad_() for factor in factors]
        loss = objective.losses(product_of(model, self._factors)).sum()
        self._gradient = torch.autograd.grad(loss, self._factors, create_graph=True)
        self._shapes = [(factor.shape[1], factor.shape[2]) for factor in factors]

    @property
    def shape(self) -> tuple[int, int]:
        """Points, and numbers of each."""
        return len(self._factors[0]), sum(rows * columns for rows, columns in self._shapes)

    def times(self, vectors: Tensor) -> Tensor:
        """Products with one vector for each point, (points, numbers)."""
        parts = split_factors(vectors, self._shapes)
        found = torch.autograd.grad(self._gradient, self._factors, parts, retain_graph=True)
        return torch.cat([part.flatten(1) for part in found], dim=1)


def largest_eigenvalues(hessian: Hessian) -> Tensor:
    """The largest eigenvalue of every Hessian, (points,); NaN where Lanczos' method has not found it."""
    points, numbers = hessian.shape
    if numbers <= MOST_WRITTEN_OUT:
        return _of_whole(hessian)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(numbers, generator=generator, dtype=torch.float64)
    return lanczos(hessian.times, (start / start.norm()).repeat(points, 1))


def _of_whole(hessian: Hessian) -> Tensor:
    """The matrices are filled up to whole vectors: rounding in LAPACK depends on where in memory a matrix begins.

    What is added to the diagonal is an entry of it, which is no larger than the largest eigenvalue.
    """
    points, numbers = hessian.shape
    columns = [hessian.times(unit.repeat(points, 1)) for unit in torch.eye(numbers, dtype=torch.float64)]
    whole = torch.stack(columns, dim=2)
    finite = whole.isfinite().flatten(1).all(dim=1)
    whole = torch.where(finite[:, None, None], whole, 0.0)
    size = numbers + -numbers % ALIGNED_SIZE
    filled = torch.diag_embed(whole[:, :1, 0].repeat(1, size))
    filled[:, :numbers, :numbers] = (whole + whole.mT) / 2
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


def _rows_per_block(spec: RunSpec, multiple: int) -> int:
    numbers = trained_numbers(spec)
    kept = 3 * numbers if numbers <= MOST_WRITTEN_OUT else MOST_HESSIAN_PRODUCTS + numbers // 64
    per_point = 8 * (numbers * kept + 4 * working_numbers(spec))
    return max(1, BLOCK_BYTES // per_point // multiple) * multiple
