"""Steps that take each factor as a matrix."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.decompositions import eigh, svd
from workers.lab.models.layout import FactorLayout
from workers.lab.optimizers.base import MovingSteps, spread
from workers.lab.products import multiply, sums_of_squares
from workers.lab.rates import BatchRates
from workers.runs import optimizers
from workers.runs.optimizers.of_matrices import matrix_shape

QUINTIC = (3.4445, -4.7750, 2.0315)
"""a, b and c of a X + (b A + c A^2) X, A = X X^T (Jordan and others 2024)."""


class MuonSteps(MovingSteps):
    """See `workers.runs.optimizers.Muon`."""

    def __init__(
        self,
        specs: Sequence[optimizers.Muon],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        super().__init__(specs, layout, like, most_steps, rates)
        self._momentum = spread(layout, like, [spec.momentum for spec in specs])
        self._is_exact, self._iterations = specs[0].orthogonalize == "svd", specs[0].steps
        self._ahead = torch.empty_like(self._move) if specs[0].nesterov else None

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        direction = torch.addcmul(gradient, before[1], self._momentum, out=after[1])
        if self._ahead is not None:
            direction = torch.addcmul(gradient, after[1], self._momentum, out=self._ahead)
        for block, move in zip(self._layout.blocks(direction), self._layout.blocks(self._move), strict=True):
            matrices = as_matrices(block)
            orthogonal = polar_factor(matrices) if self._is_exact else newton_schulz(matrices, self._iterations)
            move.copy_(orthogonal.view_as(move))
        self.subtract(before, after, number)


class ShampooSteps(MovingSteps):
    """See `workers.runs.optimizers.Shampoo`; the matrices of a state are L, R and their roots, factor by factor."""

    def __init__(
        self,
        specs: Sequence[optimizers.Shampoo],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        super().__init__(specs, layout, like, most_steps, rates)
        self._every = np.array([spec.every for spec in specs])
        self._epsilon = torch.as_tensor([spec.epsilon for spec in specs], dtype=like.dtype, device=like.device)

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        self._due = (steps + np.arange(count)[:, None]) % self._every == 0

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        due = torch.from_numpy(np.flatnonzero(self._due[number - 1])).to(gradient.device)
        blocks = zip(self._layout.blocks(gradient), self._layout.blocks(self._move), strict=True)
        for factor, (block, move) in enumerate(blocks):
            matrices, four = as_matrices(block), slice(1 + 4 * factor, 5 + 4 * factor)
            left, right = self._roots(before[four], after[four], matrices, due)
            move.copy_(_product(_product(left, matrices), right).view_as(move))
        self.subtract(before, after, number)

    def _roots(
        self, before: Sequence[Tensor], after: Sequence[Tensor], gradient: Tensor, due: Tensor
    ) -> Sequence[Tensor]:
        """Add to L and R, and take the roots of those that are due: L^(-1/4) and R^(-1/4) after the step."""
        for side, (left, right) in enumerate(((gradient, gradient.mT), (gradient.mT, gradient))):
            torch.add(before[side], _product(left, right), out=after[side])
            after[2 + side].copy_(before[2 + side])
            if len(due):
                after[2 + side][due] = inverse_fourth_root(after[side][due], self._epsilon[due])
        return after[2:]


class ScaledSteps(MovingSteps):
    """See `workers.runs.optimizers.ScaledGradientDescent`; a single factor is that of W = U U^T."""

    def __init__(
        self,
        specs: Sequence[optimizers.ScaledGradientDescent],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        super().__init__(specs, layout, like, most_steps, rates)
        self._trained = specs[0].trained(len(layout.shapes))
        damping = torch.as_tensor([spec.damping for spec in specs], dtype=like.dtype, device=like.device)
        inner = layout.shapes[0][1]
        self._damping = damping[:, None, None] * torch.eye(inner, dtype=like.dtype, device=like.device)

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        factors, gradients, moves = (self._layout.blocks(flat) for flat in (before[0], gradient, self._move))
        for factor in self._trained:
            is_left, other = factor == 0, factors[-1 - factor]
            is_tall = len(factors) == 1 or not is_left  # the other factor's columns are what is summed away
            gram = _product(other.mT, other) if is_tall else _product(other, other.mT)
            moves[factor].copy_(solved(gram.add_(self._damping), gradients[factor], from_right=is_left))
        self.subtract(before, after, number)


def as_matrices(block: Tensor) -> Tensor:
    """A block (runs, ...) as matrices (runs, rows, columns), see `workers.runs.optimizers.of_matrices`."""
    return block.view(len(block), *matrix_shape(block.shape[1:]))


def polar_factor(matrices: Tensor) -> Tensor:
    """U V^T of matrices U S V^T, (runs, rows, columns), without the singular values that are rounding."""
    left, values, right = svd(matrices)
    rounding = max(matrices.shape[1:]) * torch.finfo(matrices.dtype).eps
    left.mul_((values > values[:, :1] * rounding).to(left.dtype)[:, None, :])
    return _product(left, right)


def newton_schulz(matrices: Tensor, iterations: int) -> Tensor:
    """The quintic iteration of `Muon` on matrices over their norm, (runs, rows, columns)."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    norm = sums_of_squares([matrices]).sqrt_()[:, None, None]
    x = (matrices.mT if is_tall else matrices) / torch.where(norm > 0, norm, 1.0)
    x, (a, b, c) = x.contiguous(), QUINTIC
    for _ in range(iterations):
        square = _product(x, x.mT)
        x = x.mul(a).add_(_product(_product(square, square).mul_(c).add_(square.mul_(b)), x))
    return x.mT.contiguous() if is_tall else x


def inverse_fourth_root(matrices: Tensor, epsilon: Tensor) -> Tensor:
    """(A + epsilon I)^(-1/4) of positive semidefinite matrices A (runs, n, n), epsilon (runs,)."""
    values, vectors = eigh(matrices)
    values = (values + epsilon[:, None]).maximum(epsilon[:, None])
    return _product(vectors / values.sqrt_().sqrt_()[:, None, :], vectors.mT)


def solved(gram: Tensor, block: Tensor, from_right: bool) -> Tensor:
    """block gram^-1, or gram^-1 block, for each run; not finite where a Gram matrix is singular."""
    solution, _ = torch.linalg.solve_ex(gram, block, left=not from_right)
    return solution


def _product(left: Tensor, right: Tensor) -> Tensor:
    return multiply(left, right, left.new_empty(len(left), left.shape[1], right.shape[2]))
