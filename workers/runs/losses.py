"""Losses: the weight of squared residuals in a loss, and the loss of a run's product in numpy.

With r the residuals and w the weight, every loss here is w / 2 |r|^2 and its gradient in the observed values is w r.
"""

import numpy as np
import numpy.typing as npt

from workers.runs.observations import observe_entries
from workers.runs.problems import ObservedEntries
from workers.runs.reduction import reduced
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]


def loss_weight(spec: RunSpec) -> float:
    """Ratio of a run's loss to half the sum of squared residuals: 1, or 2 / m for the mean over m observations."""
    match spec.loss:
        case "half_sse":
            return 1.0
        case "mse":
            return 2.0 / spec.problem.observation_count


class ProductLoss:
    """The loss over one run's observations, in numpy, for products (..., rows, columns).

    Flows are not batched over runs, whose step sizes differ, but a Jacobian is a batch of states of one run. For a
    single state, 2 x 2 at depth 3, it is about as fast as the torch model of descents: 16 microseconds against 15.
    """

    def __init__(self, spec: RunSpec) -> None:
        weight, self._rest = loss_weight(spec), 0.0
        if spec.problem.observes_entries:
            self._observed = observe_entries(spec.problem)
            self._weights = weight * self._observed.mask
        else:
            self._observed, self._weights = reduced(spec.problem), np.array(weight)
            self._rest = weight * self._observed.rest

    def value(self, product: Array) -> float:
        """The loss of one product (rows, columns)."""
        return 0.5 * (float(np.sum(self._weights * self._residual(product) ** 2)) + self._rest)

    def gradient(self, product: Array) -> Array:
        """dl/dW (..., rows, columns)."""
        weighted = self._weights * self._residual(product)
        if isinstance(self._observed, ObservedEntries):
            return weighted
        return (weighted @ self._observed.tensors).reshape(product.shape)

    def _residual(self, product: Array) -> Array:
        if isinstance(self._observed, ObservedEntries):
            return product - self._observed.values
        return self._observed.residuals(product)
