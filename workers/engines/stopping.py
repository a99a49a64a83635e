"""Stopping: at which step of a chunk each run is over, and why. Tested at every step, decided once per chunk."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.records import Outcome

NEVER = np.iinfo(np.int64).max
Slots = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stops:
    """Where each run of a chunk stands.

    Attributes:
        slot: (runs,), the slot of the last state that belongs to the run.
        outcome: (runs,) of Outcome, None for a run that goes on.
    """

    slot: Slots
    outcome: npt.NDArray[np.object_]

    @property
    def stopped(self) -> npt.NDArray[np.bool_]:
        return np.array([outcome is not None for outcome in self.outcome])


def find_stops(
    losses: npt.NDArray[Any],
    first_slot: int,
    loss_below: npt.NDArray[np.float64],
    steps_left: Slots,
    broken_state: Slots,
) -> Stops:
    """Decide who is over.

    Args:
        losses: (slots, runs), of consecutive slots from `first_slot`; slot 0 is the state the chunk began from.
        loss_below: (runs,), minus infinity where there is no such limit.
        steps_left: (runs,), steps from slot 0 to the run's last allowed step.
        broken_state: (runs,), first slot whose factors are not finite, NEVER where all are.

    A run that leaves the finite numbers keeps its last finite state. One that reaches the loss limit at its last
    allowed step has converged.
    """
    last_slot = first_slot + len(losses) - 1
    reached = _first_slot(losses < loss_below, first_slot)
    broken = np.minimum(_first_slot(~np.isfinite(losses), first_slot), broken_state)
    converged = (reached <= steps_left) & (reached < broken)
    diverged = (broken <= steps_left) & ~converged
    exhausted = (steps_left <= last_slot) & ~converged & ~diverged
    slot = np.full(losses.shape[1], last_slot, dtype=np.int64)
    outcome = np.full(losses.shape[1], None, dtype=object)
    for mask, at, value in (
        (converged, reached, Outcome.CONVERGED),
        (diverged, np.maximum(broken - 1, 0), Outcome.DIVERGED),
        (exhausted, steps_left, Outcome.BUDGET_EXHAUSTED),
    ):
        slot[mask], outcome[mask] = at[mask], value
    return Stops(slot, outcome)


def _first_slot(happened: npt.NDArray[np.bool_], first_slot: int) -> Slots:
    return np.where(happened.any(axis=0), happened.argmax(axis=0) + first_slot, NEVER)
