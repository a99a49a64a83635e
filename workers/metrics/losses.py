"""The loss of one matrix or tensor, for what is computed without descending."""

import numpy as np
import numpy.typing as npt

from workers.observations import ObservedEntries, observe
from workers.specs import RunSpec


def loss_of(spec: RunSpec, product: npt.NDArray[np.float64]) -> float:
    """Half the sum of squared residuals, or their mean, of a product of the problem's shape."""
    observed = observe(spec.problem)
    if isinstance(observed, ObservedEntries):
        residuals = product[observed.mask] - observed.values[observed.mask]
    else:
        residuals = observed.tensors @ product.ravel() - observed.values
    return float((residuals**2).mean() if spec.loss == "mse" else (residuals**2).sum() / 2)
