"""Optimisers: from a state and a gradient to the next state, on flat vectors over all factors of all runs.

A state is a row of `slots` flat vectors: the factors first, then whatever the optimiser carries. The next state is
written beside the old one, never over it, so that every state of a chunk of steps can be looked at afterwards. Products
and sums are separate operations: fused multiply-adds would make results depend on the place of a run in its batch.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from workers.models.layout import FactorLayout
from workers.specs import RunSpec, optimizers


class Optimizer(Protocol):
    """One step of a batch."""

    slots: int
    """Flat vectors in a state, the factors included."""

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor]) -> None:
        """Write the state after a step into `after`; each of `before`, `after` has `slots` vectors (size,)."""
        ...


class GradientDescent:
    """F <- F - learning_rate * gradient."""

    slots = optimizers.GradientDescent.slots

    def __init__(self, learning_rate: Tensor) -> None:
        self._learning_rate = learning_rate
        self._move = torch.empty_like(learning_rate)

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor]) -> None:
        torch.mul(gradient, self._learning_rate, out=self._move)
        torch.sub(before[0], self._move, out=after[0])


class Momentum:
    """Heavy ball (Polyak 1964): v <- beta v + gradient, F <- F - learning_rate * v, v = 0 at the start."""

    slots = optimizers.Momentum.slots

    def __init__(self, learning_rate: Tensor, beta: Tensor) -> None:
        self._learning_rate, self._beta = learning_rate, beta
        self._move = torch.empty_like(learning_rate)

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor]) -> None:
        torch.mul(before[1], self._beta, out=after[1])
        after[1].add_(gradient)
        torch.mul(after[1], self._learning_rate, out=self._move)
        torch.sub(before[0], self._move, out=after[0])


def build_optimizer(
    specs: Sequence[RunSpec], layout: FactorLayout, dtype: torch.dtype, device: torch.device
) -> Optimizer:
    """The optimiser of a batch whose specs share a batch key, each run with its own constants."""

    def spread(values: Sequence[float]) -> Tensor:
        return layout.expand(torch.tensor(values, dtype=dtype, device=device))

    learning_rate = spread([spec.optimizer.learning_rate for spec in specs])
    match specs[0].optimizer:
        case optimizers.GradientDescent():
            return GradientDescent(learning_rate)
        case optimizers.Momentum():
            betas = [spec.optimizer.beta for spec in specs if isinstance(spec.optimizer, optimizers.Momentum)]
            return Momentum(learning_rate, spread(betas))
