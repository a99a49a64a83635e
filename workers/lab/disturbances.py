"""Disturbances: what mini-batches and noise change in the gradient that a step takes; the loss stays that of all data.

The product and the residuals of a state are computed once. The loss is read off them; then the terms' signal is moved
by the noise on labels, multiplied by the shares that samples have in a batch, and pulled back (`workers.lab.terms`).
Draws are made on the CPU, for the steps of a chunk at once, so they are the same on every device.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.lab.models.layout import FactorLayout
from workers.lab.native import draws as native
from workers.lab.native.draws import Filled
from workers.runs.disturbing import Draws, batch_shares, gradient_noise, label_noise
from workers.runs.noise import is_stochastic
from workers.runs.spec import RunSpec

Positions = npt.NDArray[np.int64]

TABLE_BYTES = 16 * 2**20
"""Memory of the numbers that a chunk reads; a chunk is shortened where its steps need more."""


class Terms(Protocol):
    """What a disturbance changes; see `workers.lab.terms.Terms`."""

    def disturb(self, labels: Tensor | None, shares: Tensor | None) -> None: ...


class Undisturbed:
    """Of runs whose steps take the gradient of the loss as it is."""

    def __init__(self, most_steps: int) -> None:
        self.capacity = most_steps

    def prepare(self, first_slot: int, steps: npt.NDArray[np.int64], count: int) -> None:
        """See `Disturbances`."""

    def use(self, slot: int) -> None:
        """See `Disturbances`."""

    def disturb_gradient(self, gradient: Tensor) -> None:
        """See `Disturbances`."""


class Disturbances:
    """The disturbances of a batch at the slots of a chunk: those of the step that leaves the state in a slot.

    Args:
        specs: of the runs, which share a batch key.
        layout: of their factors.
        like: a tensor of their type and device.
        most_steps: the most steps of a chunk.
    """

    def __init__(self, specs: Sequence[RunSpec], layout: FactorLayout, like: Tensor, most_steps: int) -> None:
        self._specs, self._like, self._most_steps = specs, like, most_steps
        self._gradient = self._table(gradient_noise, _positions_in(layout), (layout.size,))
        self._labels: _Table | None = None
        self._shares: _Table | None = None
        self._slot = 0

    def place(self, positions: Sequence[Positions], shape: Sequence[int]) -> None:
        """Say where observations stand among the residuals.

        Args:
            positions: of each run (samples, numbers of a sample), in the flat residuals.
            shape: of the residuals.
        """
        self._labels = self._table(label_noise, [where.ravel() for where in positions], shape)
        self._shares = self._table(batch_shares, positions, shape)

    def _table(
        self, drawn: Callable[[RunSpec], Draws | None], positions: Sequence[Positions], shape: Sequence[int]
    ) -> "_Table | None":
        """The numbers of all runs; None where the runs have none."""
        draws = [one for one in map(drawn, self._specs) if one is not None]
        return _Table(draws, positions, shape, self._like, self._most_steps) if draws else None

    @property
    def _tables(self) -> "list[_Table]":
        return [table for table in (self._labels, self._shares, self._gradient) if table is not None]

    @property
    def capacity(self) -> int:
        """The most steps that can be prepared together."""
        return min(table.steps for table in self._tables)

    def prepare(self, first_slot: int, steps: npt.NDArray[np.int64], count: int) -> None:
        """Draw for `count` slots from `first_slot` on, the first of which holds states after `steps` (runs,) steps.

        Values that steps read are overwritten in place: a captured step reads the same memory each time.
        """
        for table in self._tables:
            table.fill(first_slot, steps, count)

    def use(self, slot: int) -> None:
        """Take what follows from the numbers of a slot."""
        self._slot = slot

    def disturb(self, terms: Terms) -> None:
        """Disturb the signal of terms that were evaluated."""
        labels, shares = (
            None if table is None else table.of_slot[self._slot] for table in (self._labels, self._shares)
        )
        if labels is not None or shares is not None:
            terms.disturb(labels, shares)

    def disturb_gradient(self, gradient: Tensor) -> None:
        """Add the noise on gradients to a gradient (size,)."""
        if self._gradient is not None:
            gradient.add_(self._gradient.of_slot[self._slot])


def build_disturbances(
    specs: Sequence[RunSpec], layout: FactorLayout, like: Tensor, most_steps: int
) -> Disturbances | Undisturbed:
    """The disturbances of a batch whose specs share a batch key."""
    return Disturbances(specs, layout, like, most_steps) if is_stochastic(specs[0]) else Undisturbed(most_steps)


class _Table:
    """Numbers of all runs of a batch for every slot of a chunk, zero where no draw has its position.

    Args:
        draws: of each run, (count, draws of a step).
        positions: of each run's draws, (draws,), or (draws, repeats) where a draw stands in several.
        shape: of the numbers of a slot.

    Attributes:
        steps: how many steps can be filled in at once, beside slot 0.
        of_slot: the numbers of each slot, of the shape.
    """

    def __init__(
        self,
        draws: Sequence[Draws],
        positions: Sequence[Positions],
        shape: Sequence[int],
        like: Tensor,
        most_steps: int,
    ) -> None:
        size = prod(shape)
        self.steps = int(np.clip(TABLE_BYTES // (size * like.itemsize), 1, most_steps))
        host = torch.zeros(self.steps + 1, size, dtype=like.dtype)
        self._host, self._values = host, host.to(like.device)  # on a CPU the same memory
        self._numbers = host.numpy()
        self._runs = list(zip(draws, map(_as_slice, positions), strict=True))
        is_native = all(map(native.takes, draws)) and native.is_available(self._numbers.dtype.name)
        self._places = [_places(where) for _, where in self._runs] if is_native else None
        self.of_slot = self._values.view(-1, *shape).unbind()

    def fill(self, first_slot: int, steps: npt.NDArray[np.int64], count: int) -> None:
        """Write the draws of `count` slots from `first_slot` on; steps (runs,) belong to the first."""
        slots = self._numbers[first_slot : first_slot + count]
        if self._places is not None:
            native.fill(
                Filled(draws, step, count, slots[:, begin:], slots.shape[1], places)
                for (draws, _), (begin, places), step in zip(self._runs, self._places, steps.tolist(), strict=True)
            )
        else:
            for (draws, where), step in zip(self._runs, steps.tolist(), strict=True):
                drawn = draws(step, count)
                slots[:, where] = drawn if isinstance(where, slice) or where.ndim == 1 else drawn[:, :, None]
        if self._values is not self._host:
            self._values.copy_(self._host)


def _positions_in(layout: FactorLayout) -> list[Positions]:
    """Where the trained numbers of each run stand in the flat vector over all runs."""
    flat = layout.gather(torch.arange(layout.size), [torch.arange(layout.runs)])
    return list(flat.numpy())


def _places(where: Positions | slice) -> tuple[int, Positions | None]:
    """Where a run's numbers begin among those of a slot, and where each stands from there, (draws, repeats)."""
    if isinstance(where, slice):
        return int(where.start), None
    return 0, np.ascontiguousarray(where.reshape(len(where), -1))


def _as_slice(positions: Positions) -> Positions | slice:
    """Positions as a slice, where they are consecutive and each draw stands in a single one."""
    flat = positions.ravel()
    if len(flat) != len(positions) or (np.diff(flat) != 1).any():
        return positions if len(flat) != len(positions) else flat
    return slice(int(flat[0]), int(flat[-1]) + 1)
