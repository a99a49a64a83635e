"""Objectives: the loss over a batch's observations, and its gradient in the product.

A product is a matrix; a tensor is reshaped to a matrix (`workers.runs.shapes.halves_of`). Residuals are weighted so
that both losses have the same formula. With r the residuals and w the weight, the loss is w / 2 |r|^2 and its gradient
in the observed values is w r; w = 1 gives half the sum of squares, w = 2 / m their mean.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.products import multiply
from workers.runs.losses import loss_weight
from workers.runs.observations import observe
from workers.runs.problems import LinearMeasurements, ObservedEntries
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec


class Objective(Protocol):
    """The loss of a batch of products."""

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        """Write *twice* the loss into `loss` (runs, 1, 1); return dl/dW (runs, rows, columns).

        The gradient is valid until the next call. Halving is exact in floating point, so the caller halves the losses
        of many steps at once.
        """
        ...

    def losses(self, product: Tensor) -> Tensor:
        """The losses (runs,) of products (runs, rows, columns), for torch to differentiate."""
        ...

    def select(self, runs: Tensor) -> "Objective":
        """The objective of the runs at the given positions (repeats allowed)."""
        ...

    @property
    def bytes_per_run(self) -> int:
        """Memory of one run's observations."""
        ...


class EntryObjective:
    """Observed entries: residual = W - values; the weights of unobserved entries are zero."""

    def __init__(self, values: Tensor, weights: Tensor) -> None:
        self._values, self._weights = values, weights
        runs = values.shape[0]
        self._residual, self._gradient = torch.empty_like(values), torch.empty_like(values)
        self._residual_column = self._residual.view(runs, -1, 1)
        self._gradient_row = self._gradient.view(runs, 1, -1)

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        torch.sub(product, self._values, out=self._residual)
        torch.mul(self._residual, self._weights, out=self._gradient)
        multiply(self._gradient_row, self._residual_column, loss)
        return self._gradient

    def losses(self, product: Tensor) -> Tensor:
        return ((product - self._values).square() * self._weights).sum(dim=(1, 2)) / 2

    def select(self, runs: Tensor) -> "EntryObjective":
        return EntryObjective(self._values[runs], self._weights[runs])

    @property
    def bytes_per_run(self) -> int:
        return 4 * self._values[0].nbytes


class MeasurementObjective:
    """Linear measurements: residual = tensors @ vec(W) - values."""

    def __init__(self, tensors: Tensor, values: Tensor, weights: Tensor, shape: Sequence[int]) -> None:
        self._tensors, self._values, self._weights, self._shape = tensors, values, weights, tuple(shape)
        self._tensors_t = tensors.mT
        self._residual, self._weighted = torch.empty_like(values), torch.empty_like(values)
        self._gradient = tensors.new_empty(len(tensors), *shape)
        self._gradient_column = self._gradient.view(len(tensors), -1, 1)

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        multiply(self._tensors, product.reshape(len(product), -1, 1), self._residual)
        self._residual.sub_(self._values)
        torch.mul(self._residual, self._weights, out=self._weighted)
        multiply(self._weighted.mT, self._residual, loss)
        multiply(self._tensors_t, self._weighted, self._gradient_column)
        return self._gradient

    def losses(self, product: Tensor) -> Tensor:
        residual = torch.bmm(self._tensors, product.reshape(len(product), -1, 1)) - self._values
        return (residual.square() * self._weights).sum(dim=(1, 2)) / 2

    def select(self, runs: Tensor) -> "MeasurementObjective":
        return MeasurementObjective(self._tensors[runs], self._values[runs], self._weights[runs], self._shape)

    @property
    def bytes_per_run(self) -> int:
        return self._tensors[0].nbytes + self._gradient[0].nbytes


def build_objective(specs: Sequence[RunSpec], dtype: torch.dtype, device: torch.device) -> Objective:
    """The objective of a batch whose specs share a batch key."""
    observed = [observe(spec.problem) for spec in specs]
    shape = tuple(prod(half) for half in halves_of(specs[0].problem.shape))
    weights = [loss_weight(spec) for spec in specs]

    def tensor(arrays: Sequence[npt.NDArray[Any]]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

    if isinstance(observed[0], ObservedEntries):
        entries = [run for run in observed if isinstance(run, ObservedEntries)]
        masks = [weight * run.mask.reshape(shape) for run, weight in zip(entries, weights, strict=True)]
        return EntryObjective(tensor([run.values.reshape(shape) for run in entries]), tensor(masks))
    measured = [run for run in observed if isinstance(run, LinearMeasurements)]
    return MeasurementObjective(
        tensor([run.tensors for run in measured]),
        tensor([run.values[:, None] for run in measured]),
        tensor([np.array([[weight]]) for weight in weights]),
        shape,
    )
