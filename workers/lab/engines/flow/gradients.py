"""Gradients of one run in its factors, for flows: at one state, or at a batch of states for a Jacobian."""

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch

from workers.lab.models.base import build_model
from workers.lab.models.layout import FactorLayout
from workers.lab.product_loss import ProductLoss
from workers.runs.factors import split_factors
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]


class ChainGradient:
    """The gradient of a plain product of matrices at parameters (..., size), in numpy."""

    def __init__(self, spec: RunSpec) -> None:
        self._loss, self._shapes = ProductLoss(spec), spec.factor_shapes

    def __call__(self, parameters: Array) -> Array:
        gradients = factor_gradients(self._loss, split_factors(parameters, self._shapes))
        return np.concatenate([gradient.reshape(*parameters.shape[:-1], -1) for gradient in gradients], axis=-1)

    def loss(self, parameters: Array) -> float:
        return self._loss.value(product_of(split_factors(parameters, self._shapes)))


class ModelGradient:
    """The gradient of any factorisation at parameters (..., size), by the mathematics that descents use."""

    def __init__(self, spec: RunSpec) -> None:
        layout = FactorLayout(spec.factor_shapes, 1)
        self._parameters, self._slope = (torch.zeros(layout.size, dtype=torch.float64) for _ in range(2))
        self._twice_loss = torch.zeros(1, 1, 1, dtype=torch.float64)
        gradient = build_model([spec], layout.blocks(self._slope))
        self._evaluate = gradient.bind(layout.blocks(self._parameters), self._twice_loss)

    def __call__(self, parameters: Array) -> Array:
        if parameters.ndim > 1:
            return np.array([self(row) for row in parameters])
        self._evaluate_at(parameters)
        return self._slope.numpy().copy()

    def loss(self, parameters: Array) -> float:
        self._evaluate_at(parameters)
        return 0.5 * self._twice_loss.item()

    def _evaluate_at(self, parameters: Array) -> None:
        with torch.inference_mode():
            self._parameters.copy_(torch.from_numpy(parameters))
            self._evaluate()


def factor_gradients(loss: ProductLoss, factors: Sequence[Array]) -> list[Array]:
    """dl/dF_j = (F_1 ... F_(j-1))^T dl/dW (F_(j+1) ... F_L)^T of factors (..., rows, columns), first to last."""
    before = list(accumulate(factors, np.matmul))
    signal = loss.gradient(before[-1])
    gradients: list[Array] = []
    for j in range(len(factors) - 1, 0, -1):
        gradients.append(before[j - 1].swapaxes(-1, -2) @ signal)
        signal = signal @ factors[j].swapaxes(-1, -2)
    return [signal, *reversed(gradients)]


def product_of(factors: Sequence[Array]) -> Array:
    """F_1 @ ... @ F_L (..., rows, columns)."""
    return reduce(np.matmul, factors)
