"""The symmetric factorisation W = U U^T: its product, its loss and its gradient, for a batch of runs.

With S = dl/dW the chain rule gives dl/dU = (S + S^T) U, so a step costs two batched matrix products.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.lab.models.maths import Evaluation, ModelMaths
from workers.lab.objectives import Objective
from workers.lab.products import multiply


def product(factors: Sequence[Tensor]) -> Tensor:
    """U @ U^T of the only factor, shape (runs, dimension, dimension)."""
    return torch.bmm(factors[0], factors[0].mT)


class SymmetricMatrixMaths(ModelMaths):
    """The mathematics of a factor times its transpose."""

    def product(self, factors: Sequence[Tensor]) -> Tensor:
        return product(factors)

    def chain(self, factors: Sequence[Tensor]) -> list[Tensor]:
        return [factors[0], factors[0].mT.contiguous()]

    def gradient(self, objective: Objective, gradient: Sequence[Tensor]) -> "SymmetricGradient":
        return SymmetricGradient(objective, gradient)

    @property
    def bends(self) -> bool:
        return True

    def bend(self, signal: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """2 rank tr S."""
        return 2 * factors[0].shape[2] * signal.diagonal(dim1=1, dim2=2).sum(dim=1)


class SymmetricGradient:
    """Loss and gradient at many states of one batch; every intermediate is allocated once.

    Args:
        objective: the observations of the batch.
        gradient: (runs, dimension, rank) of the only factor, where gradients are written.
    """

    def __init__(self, objective: Objective, gradient: Sequence[Tensor]) -> None:
        self._objective, self._gradient = objective, gradient[0]
        runs, dimension = gradient[0].shape[:2]
        self._product = gradient[0].new_empty(runs, dimension, dimension)
        self._signal_sum = torch.empty_like(self._product)  # S + S^T

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        factor, transposed = factors[0], factors[0].mT

        def evaluate() -> None:
            multiply(factor, transposed, self._product)
            signal = self._objective.pull_back(self._product, loss)
            torch.add(signal, signal.mT, out=self._signal_sum)
            multiply(self._signal_sum, factor, self._gradient)

        return evaluate
