"""The CP factorisation W = sum_r f1_r x ... x fN_r: its product, its loss and its gradient, for a batch of runs.

The modes are split in two halves (`workers.runs.shapes.halves_of`). With A and B the Khatri-Rao products of the
factors of each half, the tensor reshaped to (entries of the first half, entries of the last) is W = A B^T. With
S = dl/dW the chain rule gives dl/dA = S B and dl/dB = S^T A: three batched matrix products, which hold almost all of
the arithmetic. dl/dA and dl/dB are then pulled back through their Khatri-Rao products by sums over one mode at a time.
No intermediate is larger than W, A or B; the R x d^N terms of the sum are never formed. On a CPU compiled code does the
same (`workers.lab.models.native_components`); what stands here serves GPUs, and workers that cannot compile.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from workers.lab.models.maths import Evaluation, Gradient, ModelMaths
from workers.lab.models.native_components import NativeComponentGradient
from workers.lab.native.components import is_available
from workers.lab.objectives import Objective
from workers.lab.products import multiply
from workers.runs.shapes import halves_of


def khatri_rao(factors: Sequence[Tensor]) -> Tensor:
    """Factors (runs, dimension, rank) to (runs, product of dimensions, rank); the last mode varies fastest."""
    rows = factors[0]
    for factor in factors[1:]:
        rows = (rows[:, :, None] * factor[:, None]).flatten(1, 2)
    return rows


def product(factors: Sequence[Tensor]) -> Tensor:
    """The tensors reshaped to matrices, (runs, entries of the first half, entries of the last)."""
    first, last = split(factors)
    return torch.bmm(khatri_rao(first), khatri_rao(last).mT)


def split(factors: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The factors of the first half of the modes, and those of the last."""
    cut = len(halves_of([factor.shape[1] for factor in factors])[0])
    return list(factors[:cut]), list(factors[cut:])


class CpTensorMaths(ModelMaths):
    """The mathematics of a sum of outer products."""

    def product(self, factors: Sequence[Tensor]) -> Tensor:
        return product(factors)

    def chain(self, factors: Sequence[Tensor]) -> list[Tensor]:
        return [factors[0], factors[1].mT.contiguous()]

    def gradient(self, objective: Objective, gradient: Sequence[Tensor]) -> Gradient:
        native = is_available(gradient[0].dtype, gradient[0].device)
        return (NativeComponentGradient if native else ComponentGradient)(objective, gradient)


class KhatriRao:
    """The Khatri-Rao product of one half and its backward pass; every intermediate is allocated once.

    With P_1 = f1 and P_k = P_(k-1) * fk (over all pairs of rows), the chain rule gives dl/dfk as the sum of
    dl/dP_k * P_(k-1) over the rows of P_(k-1), and dl/dP_(k-1) as the sum of dl/dP_k * fk over the rows of fk.

    Args:
        gradient: (runs, dimension, rank) per factor, where gradients are written.

    Attributes:
        gradient: (runs, rows, rank), where dl/dP of the half's product must be written before the backward pass.
    """

    def __init__(self, gradient: Sequence[Tensor]) -> None:
        runs, _, rank = gradient[0].shape
        sizes = [prod(block.shape[1] for block in gradient[: k + 1]) for k in range(len(gradient))]
        self._factor_gradients = list(gradient)
        self._products = [gradient[0].new_empty(runs, size, rank) for size in sizes[1:]]
        self._product_gradients = [gradient[0], *[torch.empty_like(product) for product in self._products]]
        self._terms = torch.empty_like(self._products[-1]) if self._products else None
        self.gradient = self._product_gradients[-1]

    def bind(self, factors: Sequence[Tensor]) -> tuple[Tensor, Evaluation, Evaluation]:
        """The tensor of the product of these factors, the call that writes it, and the call of the backward pass."""
        products = [factors[0], *self._products]
        forward = [
            (before[:, :, None], factor[:, None], _by_pairs(after, before, factor))
            for before, factor, after in zip(products, factors[1:], self._products, strict=False)
        ]
        backward = [self._pull_back_through(k, products[k - 1], factors[k]) for k in range(len(factors) - 1, 0, -1)]

        def multiply() -> None:
            for before, factor, out in forward:
                torch.mul(before, factor, out=out)

        def pull_back() -> None:
            for step in backward:
                step()

        return products[-1], multiply, pull_back

    def _pull_back_through(self, k: int, before: Tensor, factor: Tensor) -> Evaluation:
        """The backward pass through P_k = P_(k-1) * fk, with P_(k-1) as `before`."""
        assert self._terms is not None
        gradient = _by_pairs(self._product_gradients[k], before, factor)
        terms = self._terms.flatten()[: gradient.numel()].view(gradient.shape)
        to_factor, to_before = self._factor_gradients[k], self._product_gradients[k - 1]
        rows_before, rows_factor = before[:, :, None], factor[:, None]

        def step() -> None:
            torch.mul(gradient, rows_before, out=terms)
            torch.sum(terms, dim=1, out=to_factor)
            torch.mul(gradient, rows_factor, out=terms)
            torch.sum(terms, dim=2, out=to_before)

        return step


class ComponentGradient:
    """Loss and gradient at many states of one batch.

    Args:
        objective: the observations of the batch, of the tensors reshaped to matrices.
        gradient: (runs, dimension, rank) per factor, where gradients are written.
    """

    def __init__(self, objective: Objective, gradient: Sequence[Tensor]) -> None:
        self._objective = objective
        self._halves = [KhatriRao(half) for half in split(gradient)]
        runs, rows, _ = self._halves[0].gradient.shape
        self._product = gradient[0].new_empty(runs, rows, self._halves[1].gradient.shape[1])

    def bind(self, factors: Sequence[Tensor], loss: Tensor) -> Evaluation:
        """See `workers.lab.models.maths.Gradient`."""
        bound = [half.bind(half_factors) for half, half_factors in zip(self._halves, split(factors), strict=True)]
        (first, multiply_first, pull_first), (last, multiply_last, pull_last) = bound
        last_t, product, objective = last.mT, self._product, self._objective
        to_first, to_last = (half.gradient for half in self._halves)

        def evaluate() -> None:
            multiply_first()
            multiply_last()
            multiply(first, last_t, product)
            signal = objective.pull_back(product, loss)
            multiply(signal, last, to_first)
            multiply(signal.mT, first, to_last)
            pull_first()
            pull_last()

        return evaluate


def _by_pairs(rows: Tensor, before: Tensor, factor: Tensor) -> Tensor:
    """(runs, rows before * dimension, rank) as (runs, rows before, dimension, rank)."""
    return rows.view(len(rows), before.shape[1], factor.shape[1], rows.shape[2])
