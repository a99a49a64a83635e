"""Optimisers: from a state and a gradient to the next state, on flat vectors over all factors of all runs.

A state is a row of `slots` flat vectors, the factors first, then whatever the optimiser carries; single numbers per run
follow. The next state is written beside the old one, never over it, so that every state of a chunk of steps can be
read afterwards. A multiply-add is `torch.addcmul`, which reads and writes every number once, and rounds a number alike
wherever in a vector it stands. Whatever else multiplies and adds does so in separate operations.

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
from workers.lab.products import multiply
from workers.lab.rates import BatchRates
from workers.lab.updates import ADAM_UPDATE, DESCENT_UPDATE, GROUP_RMSPROP_UPDATE, MOMENTUM_UPDATE, FusedUpdate
from workers.runs import optimizers
from workers.runs.optimizers import OptimizerBase


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
            before, after: `slots` vectors (size,), then `scalars` vectors (runs,).
            gradient: (size,), with what a coupled decay adds to it, zero for frozen factors.
            number: number of the step among the prepared ones, from 1.
        """
        ...


class _Memoryless:
    """An optimiser whose steps depend on the number of steps taken before by the rates alone."""

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        pass


class GradientDescentSteps(_Memoryless):
    """See `workers.runs.optimizers.GradientDescent`."""

    def __init__(
        self,
        specs: Sequence[optimizers.GradientDescent],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        self._rates = rates

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        torch.addcmul(before[0], gradient, self._rates.of(number), value=-1, out=after[0])


class MomentumSteps(_Memoryless):
    """See `workers.runs.optimizers.Momentum`."""

    def __init__(
        self,
        specs: Sequence[optimizers.Momentum],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        self._rates, self._beta = rates, _spread(layout, like, [spec.beta for spec in specs])

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        torch.addcmul(gradient, before[1], self._beta, out=after[1])
        torch.addcmul(before[0], after[1], self._rates.of(number), value=-1, out=after[0])


class AdamSteps:
    """See `workers.runs.optimizers.Adam`; the operations are those of torch.optim.Adam, in its order."""

    def __init__(
        self,
        specs: Sequence[optimizers.Adam],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        self._layout, self._like, self._rates = layout, like, rates
        self._betas = np.array([[spec.beta_1, spec.beta_2] for spec in specs])
        self._decays = [_spread(layout, like, beta) for beta in self._betas.T]
        self._shares = [_spread(layout, like, 1 - beta) for beta in self._betas.T]
        self._epsilon = _spread(layout, like, [spec.epsilon for spec in specs])
        self._scale, self._move = torch.empty_like(self._epsilon), torch.empty_like(self._epsilon)
        self._moved, self._roots = (like.new_empty(most_steps, layout.size).unbind() for _ in range(2))

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        first, second = (_start_corrections(beta, steps, count) for beta in self._betas.T)
        for number, (rate, root) in enumerate(zip(self._rates.values / first, np.sqrt(second), strict=True)):
            self._moved[number].copy_(self._rates.spread(rate))
            self._roots[number].copy_(_spread(self._layout, self._like, root))

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        for slot, averaged in ((1, gradient), (2, torch.mul(gradient, gradient, out=self._scale))):
            torch.mul(before[slot], self._decays[slot - 1], out=after[slot])
            after[slot].add_(torch.mul(averaged, self._shares[slot - 1], out=self._move))
        torch.sqrt(after[2], out=self._scale)
        self._scale.div_(self._roots[number - 1]).add_(self._epsilon)
        torch.div(after[1], self._scale, out=self._move)
        self._move.mul_(self._moved[number - 1])
        if self._rates.is_adaptive:
            self._move.mul_(self._rates.of(number))
        torch.sub(before[0], self._move, out=after[0])


class GroupRmspropSteps:
    """See `workers.runs.optimizers.GroupRmsprop`.

    A factor's share of v is (1 - beta) * its squared gradient. It is rounded to single precision before it is added, in
    runs of double precision too, as in the authors' trajectories. Without this rounding their results are missed by
    1e-8.
    """

    def __init__(
        self,
        specs: Sequence[optimizers.GroupRmsprop],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        self._beta = np.array([spec.beta for spec in specs])
        self._share = torch.as_tensor(1 - self._beta, dtype=torch.float32, device=like.device)
        self._decay, self._epsilon = (
            torch.as_tensor(values, dtype=like.dtype, device=like.device)
            for values in (self._beta, np.array([spec.epsilon for spec in specs]))
        )
        self._rates = rates
        self._layout, self._move = layout, like.new_empty(layout.size)
        self._moves = layout.rows(self._move)
        self._squares = like.new_empty(len(layout.shapes), layout.runs, 1, 1)
        self._corrections = like.new_empty(most_steps, layout.runs)
        self._correction_of = self._corrections.unbind()

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        corrections = _start_corrections(self._beta, steps, count)
        self._corrections[:count].copy_(torch.from_numpy(corrections))

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        blocks, mean = self._layout.rows(gradient), after[1]
        for block, square in zip(blocks, self._squares, strict=True):
            row = block.unsqueeze(1)
            multiply(row, row.mT, square)
        torch.mul(before[1], self._decay, out=mean)
        for share in self._squares.flatten(1).to(torch.float32) * self._share:
            mean.add_(share)
        rate = self._rates.of_runs(number) / (mean / self._correction_of[number - 1]).sqrt_().add_(self._epsilon)
        for block, move in zip(blocks, self._moves, strict=True):
            torch.mul(block, rate[:, None], out=move)
        for move, factor in zip(self._moves, self._rates.factors or (), strict=False):
            move.mul_(factor)
        torch.sub(before[0], self._move, out=after[0])


@dataclass(frozen=True)
class OptimizerMaths:
    """The mathematics of one kind of optimiser.

    Attributes:
        steps: makes the steps of a batch. Its arguments are the optimisers of the runs, the layout of their factors, a
            tensor of the factors' type and device, the most steps that are ever prepared together, and the rates.
        fused: the same step for the fused engine; None where that engine cannot take it.
    """

    steps: Callable[[Sequence[Any], FactorLayout, Tensor, int, BatchRates], Optimizer]
    fused: FusedUpdate | None = None


MATHS: dict[type[OptimizerBase], OptimizerMaths] = {
    optimizers.GradientDescent: OptimizerMaths(GradientDescentSteps, DESCENT_UPDATE),
    optimizers.Momentum: OptimizerMaths(MomentumSteps, MOMENTUM_UPDATE),
    optimizers.Adam: OptimizerMaths(AdamSteps, ADAM_UPDATE),
    optimizers.GroupRmsprop: OptimizerMaths(GroupRmspropSteps, GROUP_RMSPROP_UPDATE),
}
"""The mathematics of each kind of optimiser that takes steps; a flow takes none."""


def _spread(layout: FactorLayout, like: Tensor, values: Sequence[float] | npt.NDArray[np.float64]) -> Tensor:
    """A value per run, spread over the flat vector, in the type and on the device of `like`."""
    return layout.expand(torch.as_tensor(values, dtype=like.dtype, device=like.device))


def _start_corrections(
    beta: npt.NDArray[np.float64], steps: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float64]:
    """1 - beta^t for the next `count` steps, (count, runs): the total weight in a running mean that began at zero."""
    return 1 - np.power(beta, steps + np.arange(1, count + 1)[:, None])
