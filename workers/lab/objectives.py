"""Objectives: the loss over a batch's observations, and its gradient in the product.

A product is a matrix; a tensor is reshaped to a matrix (`workers.runs.shapes.halves_of`). An objective predicts the
observations and subtracts their targets; `workers.lab.terms` has the loss of the residuals.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.disturbances import Disturbances
from workers.lab.linear_objectives import linear_objective
from workers.lab.native.components import EntryLosses
from workers.lab.products import multiply
from workers.lab.terms import Weighting
from workers.runs.noise import disturbs_observations
from workers.runs.observations import observe_entries
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

    def disturb(self, disturbances: Disturbances) -> None:
        """From now on return the gradient that steps take; the losses stay those of all observations."""
        ...

    def losses(self, product: Tensor) -> Tensor:
        """The losses (runs,) of products (runs, rows, columns), for torch to differentiate."""
        ...

    def curvature(self, product: Tensor) -> Tensor:
        """Second derivative of the loss in each observed value: of entries (runs, rows, columns), else (runs, m, 1)."""
        ...

    def measurements(self, run: int, most: int) -> Iterator[Tensor]:
        """Linear measurements of a run, (at most `most`, entries of the product) at a time; none of entries."""
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
        self._disturbances: Disturbances | None = None

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        torch.sub(product, self._targets, out=self._residual)
        self._terms.evaluate()
        multiply(self._left_row, self._right_column, loss)
        if self._disturbances is not None:
            self._disturbances.disturb(self._terms)
        return self._gradient

    def disturb(self, disturbances: Disturbances) -> None:
        self._disturbances = disturbances
        observed = (self._weighting.weights != 0).flatten(1).cpu().numpy()
        size = observed.shape[1]
        places = [run * size + np.flatnonzero(row)[:, None] for run, row in enumerate(observed)]
        disturbances.place(places, self._residual.shape)

    def of_entries(self) -> EntryLosses | None:
        """The losses as compiled code takes them; None where steps take another gradient."""
        if self._disturbances is not None:
            return None
        weighting = self._weighting
        parameters = weighting.parameters.reshape(-1).contiguous()
        return EntryLosses(
            weighting.maths.fused, self._targets.contiguous(), weighting.weights.contiguous(), parameters
        )

    def losses(self, product: Tensor) -> Tensor:
        return self._weighting.twice(product - self._targets).sum(dim=(1, 2)) / 2

    def curvature(self, product: Tensor) -> Tensor:
        return self._weighting.curvature(product - self._targets)

    def measurements(self, run: int, most: int) -> Iterator[Tensor]:
        return iter(())

    def select(self, runs: Tensor) -> "EntryObjective":
        return EntryObjective(self._targets[runs], self._weighting.select(runs))

    @property
    def bytes_per_run(self) -> int:
        return (4 + self._weighting.working_numbers) * self._targets[0].nbytes


class FixedSignal:
    """A loss that is linear in the product: its gradient there is a signal, whatever the product.

    Args:
        like: of as many runs, whose other answers it gives.
        signal: (runs, rows, columns).
    """

    def __init__(self, like: Objective, signal: Tensor) -> None:
        self.losses, self.select, self.bytes_per_run = like.losses, like.select, like.bytes_per_run
        self.curvature, self.measurements, self.disturb = like.curvature, like.measurements, like.disturb
        self._signal = signal

    def pull_back(self, product: Tensor, loss: Tensor) -> Tensor:
        """The signal; what is written for the loss says only that the signal is neither large nor small."""
        loss.fill_(1.0)
        return self._signal


def build_objective(
    specs: Sequence[RunSpec],
    dtype: torch.dtype,
    device: torch.device,
    disturbances: Disturbances | None = None,
) -> Objective:
    """The objective of a batch whose specs share a batch key.

    Args:
        disturbances: of the gradients that it returns; without any they are those of the losses.
    """
    objective = _objective(specs, dtype, device, disturbances is not None and disturbs_observations(specs[0]))
    if disturbances is not None:
        objective.disturb(disturbances)
    return objective


def _objective(specs: Sequence[RunSpec], dtype: torch.dtype, device: torch.device, is_whole: bool) -> Objective:
    shape = tuple(prod(half) for half in halves_of(specs[0].problem.shape))
    if not specs[0].problem.observes_entries:
        return linear_objective(specs, shape, dtype, device, is_whole)
    entries, losses = [observe_entries(spec.problem) for spec in specs], [spec.loss for spec in specs]

    def tensor(arrays: Iterable[npt.NDArray[Any]]) -> Tensor:
        return torch.as_tensor(np.stack(list(arrays)), dtype=dtype, device=device)

    targets = (loss.targets(run.values) for loss, run in zip(losses, entries, strict=True))
    weights = (
        spec.loss.weights(run.values, spec.problem.observation_count) * run.mask
        for spec, run in zip(specs, entries, strict=True)
    )
    weighting = Weighting.of(losses, tensor(weight.reshape(shape) for weight in weights))
    return EntryObjective(tensor(values.reshape(shape) for values in targets), weighting)
