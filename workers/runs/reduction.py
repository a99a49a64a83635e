"""Linear measurements with as many rows as columns, which have the same sum of squared residuals.

With X = Q R (QR decomposition) and samples X (n, d), |X V - Y|^2 = |R V - Q^T Y|^2 + |Y - Q Q^T Y|^2. The last term
does not depend on V. Unlike the normal equations, which hold X^T X, this squares no condition number, and subtracts no
large numbers for the loss near an exact fit (Golub and Van Loan 2013, section 5.3; `docs/decisions/0043`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.runs.losses import LossBase
from workers.runs.observations import observe, per_problem
from workers.runs.problems import LinearMeasurements, Problem

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reduced:
    """A sum of squares |tensors V - outputs|^2 + rest in the unknowns V (columns, measured rows).

    Attributes:
        tensors: (rows, columns), rows at most columns.
        outputs: (rows, measured rows).
        rest: what no V takes away.
    """

    tensors: Array
    outputs: Array
    rest: float


def measured(problem: Problem, loss: LossBase) -> Reduced:
    """The linear measurements of a problem as a loss needs them: reduced for squares, whole for others."""
    return reduced(problem) if loss.is_square else whole(problem)


def whole(problem: Problem) -> Reduced:
    """The linear measurements of a problem as they are."""
    observed = _observed(problem)
    return Reduced(observed.tensors, observed.outputs, 0.0)


def _observed(problem: Problem) -> LinearMeasurements:
    observed = observe(problem)
    assert isinstance(observed, LinearMeasurements)
    return observed


@per_problem
def reduced(problem: Problem) -> Reduced:
    """The sum of squared residuals of a problem with linear measurements."""
    observed = _observed(problem)
    samples, columns = observed.tensors.shape
    if samples <= columns:
        return Reduced(observed.tensors, observed.outputs, 0.0)
    q, r = np.linalg.qr(observed.tensors)
    outputs = q.T @ observed.outputs
    return Reduced(r, outputs, float(np.sum((observed.outputs - q @ outputs) ** 2)))
