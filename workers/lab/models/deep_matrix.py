"""The deep matrix factorisation W = F1 F2 ... FL: its product, its loss and its gradient, for a batch of runs.

With P_j = F1 ... Fj and S_L = dl/dW, the chain rule gives dl/dF_j = P_(j-1)^T S_j and S_(j-1) = S_j F_j^T. A step costs
3 (L - 1) batched matrix products, and no intermediate is larger than the factors themselves.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from workers.lab.models.maths import Evaluation, ModelMaths
from workers.lab.objectives import Objective
from workers.lab.products import multiply


def product(factors: Sequence[Tensor]) -> Tensor:
    """F1 @ F2 @ ... @ FL, shape (runs, rows, columns)."""
    result = factors[0]
    for factor in factors[1:]:
        result = torch.bmm(result, factor)
    return result


class DeepMatrixMaths(ModelMaths):
    """The mathematics of a product of independent factors."""

    def product(self, factors: Sequence[Tensor]) -> Tensor:
        return product(factors)

    def chain(self, factors: Sequence[Tensor]) -> list[Tensor]:
        return list(factors)

    def gradient(self, objective: Objective, gradient: Sequence[Tensor]) -> "DeepMatrixGradient":
        return DeepMatrixGradient(objective, gradient)


class DeepMatrixGradient:
    """Loss and gradient at many states of one batch; every intermediate is allocated once.

    Args:
        objective: the observations of the batch.
        gradient: (runs, rows, columns) per factor, where gradients are written.
    """

    def __init__(self, objective: Objective, gradient: Sequence[Tensor]) -> None:
        self._objective = objective
        self._gradient = list(gradient)
        runs, rows = gradient[0].shape[:2]
        self._products = [gradient[0].new_empty(runs, rows, block.shape[2]) for block in gradient[1:]]
        self._products_t = [block.mT for block in self._products]
        self._pulled = [gradient[0].new_empty(runs, rows, block.shape[1]) for block in gradient[1:]]
        if self._pulled:
            self._pulled[0] = self._gradient[0]  # the signal pulled back to the first factor is its gradient

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        return partial(self.evaluate, factors, [factor.mT for factor in factors], loss)

    def evaluate(self, factors: Sequence[Tensor], transposed: Sequence[Tensor], loss: Tensor) -> None:
        """Write twice the loss into `loss` (runs, 1, 1), and the gradient into the blocks given at construction.

        Args:
            factors: (runs, rows, columns) per factor.
            transposed: the same factors, each with its last two dimensions swapped.
        """
        running_product = factors[0]
        for factor, out in zip(factors[1:], self._products, strict=True):
            running_product = multiply(running_product, factor, out)
        signal = self._objective.pull_back(running_product, loss)
        for j in range(len(factors) - 1, 0, -1):
            before = self._products_t[j - 2] if j > 1 else transposed[0]
            multiply(before, signal, self._gradient[j])
            signal = multiply(signal, transposed[j], self._pulled[j - 1])
        if len(factors) == 1:
            self._gradient[0].copy_(signal)
