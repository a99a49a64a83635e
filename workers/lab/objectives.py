"""Objectives: the loss over a batch's observations, and its gradient in the product.

A product is a matrix; a tensor is reshaped to a matrix (`workers.runs.shapes.halves_of`). An objective predicts the
observations and subtracts their targets; `workers.lab.terms` has the loss of the residuals.
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.terms import Weighting
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

    def curvature(self, product: Tensor) -> Tensor:
        """Second derivative of the loss in each observed value: of entries (runs, rows, columns), else (runs, m, 1)."""
        ...

    @property
    def tensors(self) -> Tensor | None:
        """Linear measurements (runs, m, entries of the product); None where entries are observed."""
        ...

    def select(self, runs: Tensor) -> "Objective":
        """The objective of the runs at the given positions (repeats allowed)."""
        ...

    @property
    def bytes_per_run(self) -> int:
        """Memory of one run's observations."""
        ...


class EntryObjective:
    """Observed entries: residual = W - targets; the weights of unobserved entries are zero."""

    def __init__(self, targets: Tensor, weighting: Weighting) -> None:
        self._targets, self._weighting = targets, weighting
        self._residual, self._gradient = torch.empty_like(targets), torch.empty_like(targets)
        self._terms = weighting.on(self._residual, self._gradient)
        self._left_row = self._terms.left.view(len(targets), 1, -1)
        self._right_column = self._terms.right.view(len(targets), -1, 1)

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        torch.sub(product, self._targets, out=self._residual)
        self._terms.evaluate()
        torch.bmm(self._left_row, self._right_column, out=loss)
        return self._gradient

    def losses(self, product: Tensor) -> Tensor:
        return self._weighting.twice(product - self._targets).sum(dim=(1, 2)) / 2

    def curvature(self, product: Tensor) -> Tensor:
        return self._weighting.curvature(product - self._targets)

    @property
    def tensors(self) -> Tensor | None:
        return None

    def select(self, runs: Tensor) -> "EntryObjective":
        return EntryObjective(self._targets[runs], self._weighting.select(runs))

    @property
    def bytes_per_run(self) -> int:
        return (4 + self._weighting.working_numbers) * self._targets[0].nbytes


class MeasurementObjective:
    """Linear measurements: residual = tensors @ vec(W) - targets."""

    def __init__(self, tensors: Tensor, targets: Tensor, weighting: Weighting, shape: Sequence[int]) -> None:
        self._tensors, self._targets, self._weighting, self._shape = tensors, targets, weighting, tuple(shape)
        self._tensors_t = tensors.mT
        self._residual, self._signal = torch.empty_like(targets), torch.empty_like(targets)
        self._terms = weighting.on(self._residual, self._signal)
        self._left_t = self._terms.left.mT
        self._gradient = tensors.new_empty(len(tensors), *shape)
        self._gradient_column = self._gradient.view(len(tensors), -1, 1)

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        torch.bmm(self._tensors, product.reshape(len(product), -1, 1), out=self._residual)
        self._residual.sub_(self._targets)
        self._terms.evaluate()
        torch.bmm(self._left_t, self._terms.right, out=loss)
        torch.bmm(self._tensors_t, self._signal, out=self._gradient_column)
        return self._gradient

    def losses(self, product: Tensor) -> Tensor:
        return self._weighting.twice(self._residual_of(product)).sum(dim=(1, 2)) / 2

    def curvature(self, product: Tensor) -> Tensor:
        return self._weighting.curvature(self._residual_of(product))

    def _residual_of(self, product: Tensor) -> Tensor:
        return torch.bmm(self._tensors, product.reshape(len(product), -1, 1)) - self._targets

    @property
    def tensors(self) -> Tensor | None:
        return self._tensors

    def select(self, runs: Tensor) -> "MeasurementObjective":
        return MeasurementObjective(self._tensors[runs], self._targets[runs], self._weighting.select(runs), self._shape)

    @property
    def bytes_per_run(self) -> int:
        return self._tensors[0].nbytes + self._gradient[0].nbytes


class FixedSignal:
    """A loss that is linear in the product: its gradient there is a signal, whatever the product.

    Args:
        like: of as many runs, whose other answers it gives.
        signal: (runs, rows, columns).
    """

    def __init__(self, like: Objective, signal: Tensor) -> None:
        self.losses, self.select, self.bytes_per_run = like.losses, like.select, like.bytes_per_run
        self.curvature, self.tensors = like.curvature, like.tensors
        self._signal = signal

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        """The signal; what is written for the loss says only that the signal is neither large nor small."""
        loss.fill_(1.0)
        return self._signal


def build_objective(specs: Sequence[RunSpec], dtype: torch.dtype, device: torch.device) -> Objective:
    """The objective of a batch whose specs share a batch key."""
    observed = [observe(spec.problem) for spec in specs]
    shape = tuple(prod(half) for half in halves_of(specs[0].problem.shape))

    def tensor(arrays: Iterable[npt.NDArray[Any]]) -> Tensor:
        return torch.as_tensor(np.stack(list(arrays)), dtype=dtype, device=device)

    losses = [spec.loss for spec in specs]
    targets = (loss.targets(run.values) for loss, run in zip(losses, observed, strict=True))
    weights = (
        spec.loss.weights(run.values, spec.problem.observation_count) for spec, run in zip(specs, observed, strict=True)
    )
    if isinstance(observed[0], ObservedEntries):
        masks = [run.mask for run in observed if isinstance(run, ObservedEntries)]
        masked = tensor((weight * mask).reshape(shape) for weight, mask in zip(weights, masks, strict=True))
        return EntryObjective(tensor(values.reshape(shape) for values in targets), Weighting.of(losses, masked))
    tensors = tensor(run.tensors for run in observed if isinstance(run, LinearMeasurements))
    columns = tensor(values[:, None] for values in targets)
    weighting = Weighting.of(losses, tensor(weight[:, None] for weight in weights))
    return MeasurementObjective(tensors, columns, weighting, shape)
