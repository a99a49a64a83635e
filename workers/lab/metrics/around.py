"""Metrics of the loss around a point: its gradient and its Hessian, of matrices and of tensors alike."""

from collections.abc import Callable

from torch import Tensor

from workers.lab.metrics import gradients, hessian_eigenvalues, hessian_trace, sharpness
from workers.lab.metrics.state import State

FORMULAS: dict[str, Callable[[State], Tensor]] = {
    **gradients.FORMULAS,
    **sharpness.FORMULAS,
    **hessian_eigenvalues.FORMULAS,
    **hessian_trace.FORMULAS,
}
"""By the names of the catalogue, each (points,), or (points, width) of a vector."""
