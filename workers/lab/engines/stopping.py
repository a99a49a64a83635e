"""Stopping: the step of a chunk at which each run is over, and why; every step is tested, once per chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.records import Outcome
from workers.runs.milestones import NOT_YET
from workers.runs.stops import Stop

NEVER = np.iinfo(np.int64).max
Slots = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stops:
    """State of each run after a chunk.

    Attributes:
        slot: (runs,), the slot of the run's last state.
        outcome: (runs,) of Outcome, None for a run that goes on.
    """

    slot: Slots
    outcome: npt.NDArray[np.object_]

    @property
    def stopped(self) -> npt.NDArray[np.bool_]:
        return np.array([outcome is not None for outcome in self.outcome])


class LossLimits:
    """The rules by which losses end the runs of a batch (`workers.runs.spec.Stop`)."""

    def __init__(self, stops: Sequence[Stop]) -> None:
        self._below = np.array([stop.loss_below or -np.inf for stop in stops])
        self._every = np.array([stop.check_every for stop in stops], dtype=np.int64)
        self._in_a_row = np.array([stop.checks_in_a_row for stop in stops], dtype=np.int64)
        self._patient = np.array([not stop.at_first_step_below for stop in stops])

    def first_met(
        self, losses: npt.NDArray[Any], first_slot: int, steps: Slots, failed_check: Slots
    ) -> tuple[Slots, Slots]:
        """First slot at which each run's limit is met (runs,), and the last failed check at each slot (slots, runs).

        Args:
            losses: (slots, runs), of consecutive slots from `first_slot`.
            steps: (runs,), the step of slot 0.
            failed_check: (runs,), the last earlier step whose check failed, NOT_YET where none did.
        """
        below = losses < self._below
        if not self._patient.any():
            return _first_slot(below, first_slot), np.broadcast_to(failed_check, losses.shape)
        at = steps + first_slot + np.arange(len(losses))[:, None]
        checked = at % self._every == 0
        failed = np.maximum.accumulate(np.where(checked & ~below & self._patient, at, failed_check))
        # The checks have held since the check that followed the last failed one.
        held_since = np.where(failed == NOT_YET, 0, failed + self._every)
        met = checked & below & (at - held_since >= (self._in_a_row - 1) * self._every)
        return _first_slot(np.where(self._patient, met, below), first_slot), failed


def find_stops(
    losses: npt.NDArray[Any],
    first_slot: int,
    reached: Slots,
    steps_left: Slots,
    broken_state: Slots,
) -> Stops:
    """Decide which runs are over.

    Args:
        losses: (slots, runs), of consecutive slots from `first_slot`; slot 0 is the state the chunk began from.
        reached: (runs,), the first slot at which the loss limit is met, NEVER where it is not.
        steps_left: (runs,), steps from slot 0 to the run's last allowed step.
        broken_state: (runs,), first slot whose factors are not finite, NEVER where all are.

    A run that leaves the finite numbers keeps its last finite state. A run that reaches the loss limit at its last
    allowed step has converged.
    """
    last_slot = first_slot + len(losses) - 1
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
