"""Learning rates of a batch in torch: the rate of every trained number at a step, and the rate that follows the loss.

The rates of a step multiply vectors over all factors of all runs (`workers.lab.models.layout`), so a rate is spread
over the numbers of its run, times what its factor's rate is multiplied by.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.models.layout import FactorLayout
from workers.lab.products import sums_of_squares
from workers.runs.optimizers import DescentBase
from workers.runs.rates import Polyak, rate_table

Array = npt.NDArray[np.float64]


class BatchRates:
    """The learning rates of the runs of a batch.

    Args:
        specs: the optimisers of the runs.
        layout, like: layout of their factors, a tensor of their type and device.
        most_steps: the most steps that are ever prepared together.

    Attributes:
        is_adaptive: whether rates follow from states; the prepared ones are then all 1, and `measure` has the others.
        values: (steps or 1, runs) in float64, of the steps that were prepared.
    """

    def __init__(self, specs: Sequence[DescentBase], layout: FactorLayout, like: Tensor, most_steps: int) -> None:
        self._rates, self._layout, self._like = [spec.rates for spec in specs], layout, like
        self._factors = np.array([spec.factors_of_rate(len(layout.shapes)) for spec in specs])
        self.is_adaptive = self._rates[0].is_adaptive
        self._is_constant = self.is_adaptive or all(rates.settles_at == 0 for rates in self._rates)
        rows = 1 if self._is_constant else most_steps
        self._spread = [like.new_empty(layout.size) for _ in range(rows)]
        self._of_runs = [like.new_empty(layout.runs) for _ in range(rows)]
        self.factors = None
        if (self._factors != 1).any():
            self.factors = [self._tensor(column)[:, None, None] for column in self._factors.T]
        if self._is_constant:
            first = [1.0 if self.is_adaptive else rates.rates(0, 1).item() for rates in self._rates]
            self.values = np.array([first])
            self._fill()
        if self.is_adaptive:
            self._adaptive = PolyakRates(specs, layout, like)

    def prepare(self, steps: npt.NDArray[np.int64], count: int) -> None:
        """Prepare `count` consecutive steps of runs that have taken `steps` (runs,) so far."""
        if not self._is_constant:
            self.values = rate_table(self._rates, steps, count)
            self._fill()

    def _fill(self) -> None:
        for spread, of_runs, values in zip(self._spread, self._of_runs, self.values, strict=False):
            spread.copy_(self.spread(values))
            of_runs.copy_(self._tensor(values))

    def measure(self, before: Sequence[Tensor], gradient: Tensor, twice_loss: Tensor, after: Sequence[Tensor]) -> None:
        """The adaptive rates of a step, and the time after it; nothing where rates are known before.

        Args:
            before, after: states; an adaptive rate reads the time that ends the first and writes that of the other.
            gradient: (size,), as the step takes it.
            twice_loss: (runs,), twice the loss before the step.
        """
        if self.is_adaptive:
            self._adaptive.measure(before, gradient, twice_loss, after)
            if self.factors is not None:
                for part, factor in zip(self._layout.rows(self._adaptive.spread), self.factors, strict=True):
                    part.mul_(factor)

    def of(self, number: int) -> Tensor:
        """The rate of every trained number at a prepared step, counted from 1: (size,)."""
        return self._adaptive.spread if self.is_adaptive else self._spread[0 if self._is_constant else number - 1]

    def of_runs(self, number: int) -> Tensor:
        """The learning rate of every run at a prepared step, counted from 1: (runs,)."""
        return self._adaptive.rates if self.is_adaptive else self._of_runs[0 if self._is_constant else number - 1]

    def spread(self, values: Array) -> Tensor:
        """A value per run, times what multiplies the rates of each factor, spread over the flat vector.

        Adaptive rates have these factors themselves, so the values that multiply them have none.
        """
        if self.factors is None or self.is_adaptive:
            return self._layout.expand(self._tensor(values))
        sizes = map(prod, self._layout.shapes)
        columns = zip(self._factors.T, sizes, strict=True)
        return torch.cat([self._tensor(values * factors).repeat_interleave(size) for factors, size in columns])

    def _tensor(self, values: Array) -> Tensor:
        return torch.as_tensor(values, dtype=self._like.dtype, device=self._like.device)


class PolyakRates:
    """See `workers.runs.rates.Polyak`; the sums of rates are compensated (Knuth's two-sum)."""

    def __init__(self, specs: Sequence[DescentBase], layout: FactorLayout, like: Tensor) -> None:
        schedules = [spec.learning_rate for spec in specs if isinstance(spec.learning_rate, Polyak)]
        self._layout, largest = layout, torch.finfo(like.dtype).max

        def tensor(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=like.dtype, device=like.device)

        self._minimum = tensor([one.minimum for one in schedules])
        self._most = tensor([min(one.most or largest, largest) for one in schedules])
        coupled = specs[0].decay_word == "coupled"
        self._half_decay = tensor([spec.weight_decay / 2 for spec in specs]) if coupled else None
        self.rates, self.spread = like.new_zeros(layout.runs), like.new_zeros(layout.size)
        self._spread_rows = layout.rows(self.spread)

    def measure(self, before: Sequence[Tensor], gradient: Tensor, twice_loss: Tensor, after: Sequence[Tensor]) -> None:
        """See `BatchRates.measure`."""
        excess = 0.5 * twice_loss
        if self._half_decay is not None:
            excess += self._half_decay * sums_of_squares(self._layout.blocks(before[0]))
        excess -= self._minimum
        squared = sums_of_squares(self._layout.blocks(gradient))
        rates = torch.minimum(excess / squared, self._most)
        self.rates.copy_(torch.where((excess > 0) & (squared > 0), rates, 0.0))
        for row in self._spread_rows:
            row.copy_(self.rates[:, None, None].expand_as(row))
        total, rest = before[-2], before[-1]
        added = self.rates + rest
        torch.add(total, added, out=after[-2])
        grown = after[-2] - total
        torch.add(total - (after[-2] - grown), added - grown, out=after[-1])
