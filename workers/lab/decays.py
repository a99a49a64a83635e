"""What holds of the steps of every optimiser: weight decay, frozen factors, and the rates of a step."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.models.layout import FactorLayout
from workers.lab.optimizers import MATHS, Optimizer
from workers.lab.rates import BatchRates
from workers.runs.spec import RunSpec


def build_optimizer(
    specs: Sequence[RunSpec], layout: FactorLayout, dtype: torch.dtype, device: torch.device, most_steps: int
) -> "Steps":
    """The steps of a batch whose specs share a batch key; constants may differ between runs.

    Args:
        most_steps: the most steps that are ever prepared together.
    """
    like = torch.empty(0, dtype=dtype, device=device)
    optimizers = [spec.descent for spec in specs]
    rates = BatchRates(optimizers, layout, like, most_steps)
    core = MATHS[type(optimizers[0])].steps(optimizers, layout, like, most_steps, rates)
    kind = {"none": Steps, "coupled": CoupledSteps, "decoupled": DecoupledSteps}[optimizers[0].decay_word]
    return kind(specs, layout, like, core, rates, most_steps)


class Steps:
    """The steps of a batch without weight decay."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        layout: FactorLayout,
        like: Tensor,
        core: Optimizer,
        rates: BatchRates,
        most_steps: int,
    ) -> None:
        self._layout, self._core, self._rates = layout, core, rates
        self._began_at = np.array([spec.descent.began_at for spec in specs], dtype=np.int64)
        trained = specs[0].descent.trained(len(layout.shapes))
        self._frozen = [number for number in range(len(layout.shapes)) if number not in trained]

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        """See `Optimizer`."""
        self._rates.prepare(steps, count)
        self._core.prepare(steps - self._began_at, count)

    def step(
        self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int, twice_loss: Tensor
    ) -> None:
        """Write the state after a step into `after`; the gradient is overwritten.

        Args:
            before, after: vectors (size,), then scalars (runs,).
            gradient: of the loss, (size,).
            number: number of the step among the prepared ones, from 1.
            twice_loss: (runs,), twice the loss before the step.
        """
        self._decay_gradient(before[0], gradient)
        if self._frozen:
            blocks = self._layout.blocks(gradient)
            for frozen in self._frozen:
                blocks[frozen].zero_()
        self._rates.measure(before, gradient, twice_loss, after)
        self._core.step(self._decayed(before, number), gradient, after, number)

    def _decay_gradient(self, factors: Tensor, gradient: Tensor) -> None:
        """Add to the gradient what a coupled decay adds."""

    def _decayed(self, before: Sequence[Tensor], number: int) -> Sequence[Tensor]:
        """The state that the optimiser's own step begins with."""
        return before

    def _weights(self, specs: Sequence[RunSpec], like: Tensor) -> Tensor:
        """The weight decay of every trained number, 0 for those that are frozen."""
        decays = torch.as_tensor([spec.optimizer.weight_decay for spec in specs], dtype=like.dtype, device=like.device)
        weights = self._layout.expand(decays)
        for frozen in self._frozen:
            self._layout.blocks(weights)[frozen].zero_()
        return weights


class CoupledSteps(Steps):
    """The gradient is that of the objective: gradient + lambda F."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        layout: FactorLayout,
        like: Tensor,
        core: Optimizer,
        rates: BatchRates,
        most_steps: int,
    ) -> None:
        super().__init__(specs, layout, like, core, rates, most_steps)
        self._decay = self._weights(specs, like)
        self._pull = torch.empty_like(self._decay)

    def _decay_gradient(self, factors: Tensor, gradient: Tensor) -> None:
        gradient.add_(torch.mul(factors, self._decay, out=self._pull))


class DecoupledSteps(CoupledSteps):
    """F <- (1 - rate lambda) F before the optimiser's own step."""

    def _decay_gradient(self, factors: Tensor, gradient: Tensor) -> None:
        pass

    def _decayed(self, before: Sequence[Tensor], number: int) -> Sequence[Tensor]:
        torch.mul(self._rates.of(number), self._decay, out=self._pull)
        self._pull.neg_().add_(1.0).mul_(before[0])
        return [self._pull, *before[1:]]
