"""Steps that scale single numbers, or all of them alike."""

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.models.layout import FactorLayout
from workers.lab.optimizers.base import Memoryless, MovingSteps, spread, start_corrections
from workers.lab.products import squares_of, sums_of_squares
from workers.lab.rates import BatchRates
from workers.runs import optimizers


class GradientDescentSteps(Memoryless):
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


class MomentumSteps(Memoryless):
    """See `workers.runs.optimizers.Momentum`."""

    def __init__(
        self,
        specs: Sequence[optimizers.Momentum],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        self._rates, self._beta = rates, spread(layout, like, [spec.beta for spec in specs])

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        torch.addcmul(gradient, before[1], self._beta, out=after[1])
        torch.addcmul(before[0], after[1], self._rates.of(number), value=-1, out=after[0])


class SignumSteps(MovingSteps):
    """See `workers.runs.optimizers.Signum`."""

    def __init__(
        self,
        specs: Sequence[optimizers.Signum],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        super().__init__(specs, layout, like, most_steps, rates)
        self._decay = spread(layout, like, [spec.beta for spec in specs])
        self._share = spread(layout, like, [spec.share for spec in specs])

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        average(before[1], gradient, self._decay, self._share, self._move, after[1])
        torch.sign(after[1], out=self._move)
        self.subtract(before, after, number)


class LionSteps(MovingSteps):
    """See `workers.runs.optimizers.Lion`."""

    def __init__(
        self,
        specs: Sequence[optimizers.Lion],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        super().__init__(specs, layout, like, most_steps, rates)
        fields = ("beta_1", "share_1", "beta_2", "share_2")
        self._decay, self._share, self._decay_of_mean, self._share_of_mean = (
            spread(layout, like, [getattr(spec, field) for spec in specs]) for field in fields
        )
        self._work = torch.empty_like(self._move)

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        average(before[1], gradient, self._decay, self._share, self._work, self._move)
        average(before[1], gradient, self._decay_of_mean, self._share_of_mean, self._work, after[1])
        self._move.sign_()
        self.subtract(before, after, number)


class RmspropSteps(MovingSteps):
    """See `workers.runs.optimizers.Rmsprop`; the operations are those of torch.optim.RMSprop."""

    def __init__(
        self,
        specs: Sequence[optimizers.Rmsprop],
        layout: FactorLayout,
        like: Tensor,
        most_steps: int,
        rates: BatchRates,
    ) -> None:
        super().__init__(specs, layout, like, most_steps, rates)
        self._decay, self._share, self._epsilon = (
            spread(layout, like, [getattr(spec, field) for spec in specs]) for field in ("beta", "share", "epsilon")
        )
        self._scale = torch.empty_like(self._move)

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        squared = torch.mul(gradient, gradient, out=self._scale)
        average(before[1], squared, self._decay, self._share, self._move, after[1])
        torch.sqrt(after[1], out=self._scale)
        torch.div(gradient, self._scale.add_(self._epsilon), out=self._move)
        self.subtract(before, after, number)


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
        self._is_shared = specs[0].shared_scale
        self._trained = sum(prod(layout.shapes[number]) for number in specs[0].trained(len(layout.shapes)))
        self._betas = np.array([[spec.beta_1, spec.beta_2] for spec in specs])
        self._decays = [spread(layout, like, beta) for beta in self._betas.T]
        self._shares = [spread(layout, like, 1 - beta) for beta in self._betas.T]
        self._epsilon = spread(layout, like, [spec.epsilon for spec in specs])
        self._scale, self._move = torch.empty_like(self._epsilon), torch.empty_like(self._epsilon)
        self._moved, self._roots = (like.new_empty(most_steps, layout.size).unbind() for _ in range(2))

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        first, second = (start_corrections(beta, steps, count) for beta in self._betas.T)
        for number, (rate, root) in enumerate(zip(self._rates.values / first, np.sqrt(second), strict=True)):
            self._moved[number].copy_(self._rates.spread(rate))
            self._roots[number].copy_(spread(self._layout, self._like, root))

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        for slot, new in ((1, gradient), (2, self._squared(gradient))):
            average(before[slot], new, self._decays[slot - 1], self._shares[slot - 1], self._move, after[slot])
        torch.sqrt(after[2], out=self._scale)
        self._scale.div_(self._roots[number - 1]).add_(self._epsilon)
        torch.div(after[1], self._scale, out=self._move)
        self._move.mul_(self._moved[number - 1])
        if self._rates.is_adaptive:
            self._move.mul_(self._rates.of(number))
        torch.sub(before[0], self._move, out=after[0])

    def _squared(self, gradient: Tensor) -> Tensor:
        """The squared gradient, or its mean over the trained numbers of each run with a shared scale."""
        if not self._is_shared:
            return torch.mul(gradient, gradient, out=self._scale)
        mean = sums_of_squares(self._layout.blocks(gradient)).div_(self._trained)
        return self._scale.copy_(self._layout.expand(mean))


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
        self._corrections = like.new_empty(most_steps, layout.runs)
        self._correction_of = self._corrections.unbind()

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        corrections = start_corrections(self._beta, steps, count)
        self._corrections[:count].copy_(torch.from_numpy(corrections))

    def step(self, before: Sequence[Tensor], gradient: Tensor, after: Sequence[Tensor], number: int) -> None:
        rows, mean = self._layout.rows(gradient), after[1]
        torch.mul(before[1], self._decay, out=mean)
        for share in squares_of(rows).to(torch.float32) * self._share:
            mean.add_(share)
        rate = self._rates.of_runs(number) / (mean / self._correction_of[number - 1]).sqrt_().add_(self._epsilon)
        for row, move in zip(rows, self._moves, strict=True):
            torch.mul(row, rate[:, None, None], out=move)
        for move, factor in zip(self._moves, self._rates.factors or (), strict=False):
            move.mul_(factor)
        torch.sub(before[0], self._move, out=after[0])


def average(before: Tensor, new: Tensor, decay: Tensor, share: Tensor, work: Tensor, out: Tensor) -> None:
    """Write the running mean decay * before + share * new into `out`; `work` is overwritten."""
    torch.mul(before, decay, out=out)
    out.add_(torch.mul(new, share, out=work))
