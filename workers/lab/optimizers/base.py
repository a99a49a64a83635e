"""Optimisers: from a state and a gradient to the next state, on flat vectors over all factors of all runs.

A state is a row of `slots` flat vectors, the factors first, then whatever the optimiser carries; matrices and single
numbers of each run follow. The next state is written beside the old one, never over it, so that every state of a chunk
of steps can be read afterwards. A multiply-add is `torch.addcmul`, which reads and writes every number once, and rounds
a number alike wherever in a vector it stands. Whatever else multiplies and adds does so in separate operations.

Weight decay, frozen factors and the learning rates are the same for all (`workers.lab.decays`, `workers.lab.rates`).
The text of the same steps for the fused engine is in `workers.lab.updates`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.models.layout import FactorLayout
from workers.lab.models.maths import Gradient
from workers.lab.rates import BatchRates
from workers.lab.updates import FusedUpdate


class Optimizer(Protocol):
    """The steps of a batch."""

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        """Prepare `count` consecutive steps of runs that have taken `steps` (runs,) so far.

        Values that steps read are overwritten in place: a captured step reads the same memory each time.
        """
        ...

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        """Write the state after a step into `after`.

        Args:
            before, after: `slots` vectors (size,), then matrices (runs, rows, columns), then `scalars` vectors (runs,).
            gradient: (size,), with what a coupled decay adds to it, zero for frozen factors.
            number: number of the step among the prepared ones, from 1.
        """
        ...


class Memoryless:
    """An optimiser whose steps depend on the number of steps taken before by the rates alone."""

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        pass


class MovingSteps(Memoryless):
    """An optimiser that subtracts the rates times a move."""

    def __init__(
        self, specs: Sequence[Any], layout: FactorLayout, like: Tensor, most_steps: int, rates: BatchRates
    ) -> None:
        self._layout, self._rates, self._move = layout, rates, like.new_zeros(layout.size)

    def subtract(self, before: Sequence[Tensor], after: Sequence[Tensor], number: int) -> None:
        """Write the factors after the step: those before it minus the rates times `_move`."""
        torch.addcmul(before[0], self._move, self._rates.of(number), value=-1, out=after[0])


@dataclass(frozen=True)
class OptimizerMaths:
    """The mathematics of one kind of optimiser.

    Attributes:
        steps: makes the steps of a batch. Its arguments are the optimisers of the runs, the layout of their factors, a
            tensor of the factors' type and device, the most steps that are ever prepared together, and the rates.
        fused: the same step for the fused engine; None where that engine cannot take it.
        gradient: what a step takes as the gradient, from that of the loss; None for that of the loss itself. Its
            arguments are the optimisers, the layout, the gradient's flat vector, and the model that writes it.
    """

    steps: Callable[[Sequence[Any], FactorLayout, Tensor, int, BatchRates], Optimizer]
    fused: FusedUpdate | None = None
    gradient: Callable[[Sequence[Any], FactorLayout, Tensor, Gradient], Gradient] | None = None


def spread(layout: FactorLayout, like: Tensor, values: Sequence[float] | npt.NDArray[np.float64]) -> Tensor:
    """A value per run, spread over the flat vector, in the type and on the device of `like`."""
    return layout.expand(torch.as_tensor(values, dtype=like.dtype, device=like.device))


def start_corrections(
    beta: npt.NDArray[np.float64], steps: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float64]:
    """1 - beta^t for the next `count` steps, (count, runs): the total weight in a running mean that began at zero."""
    return 1 - np.power(beta, steps + np.arange(1, count + 1)[:, None])
