"""The loss of one run's product and its gradient, in numpy, at any number of states of that run at once.

A flow cannot batch its runs, each of which takes steps of its own, but a Jacobian is a batch of states of one run. At a
single state of 2 x 2 at depth 3 this takes as long as the torch model of descents, 16 microseconds beside 15.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from workers.runs.observations import ObservedEntries, observe
from workers.runs.problems import observation_count
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]


class ProductLoss:
    """The loss over one run's observations; products (..., rows, columns), any number of them at once."""

    def __init__(self, spec: RunSpec) -> None:
        observed = observe(spec.problem)
        weight = 1.0 if spec.loss == "half_sse" else 2.0 / observation_count(spec.problem)
        self._observed = observed
        self._weights = weight * observed.mask if isinstance(observed, ObservedEntries) else np.array(weight)

    def value(self, product: Array) -> float:
        """The loss of one product (rows, columns)."""
        return 0.5 * float(np.sum(self._weights * self._residual(product) ** 2))

    def gradient(self, product: Array) -> Array:
        """dl/dW (..., rows, columns)."""
        weighted = self._weights * self._residual(product)
        if isinstance(self._observed, ObservedEntries):
            return weighted
        return (weighted @ self._observed.tensors).reshape(product.shape)

    def _residual(self, product: Array) -> Array:
        if isinstance(self._observed, ObservedEntries):
            return product - self._observed.values
        return product.reshape(*product.shape[:-2], -1) @ self._observed.tensors.T - self._observed.values


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
