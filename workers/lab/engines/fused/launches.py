"""Launches of the fused engine: runs laid out in blocks of lanes, and read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.descents import Descents, Snapshots
from workers.lab.engines.fused.source import CONVERGED, DIVERGED, EXHAUSTED, FRESH, GOING, OVER, Program, update_of
from workers.lab.engines.recording import Schedules
from workers.lab.engines.stopping import NEVER
from workers.records import Outcome
from workers.runs.losses import loss_weight
from workers.runs.milestones import LOSS_DECADES, NOT_YET
from workers.runs.observations import observe_entries
from workers.runs.spec import RunSpec

Array = npt.NDArray[Any]
OUTCOMES = {CONVERGED: Outcome.CONVERGED, EXHAUSTED: Outcome.BUDGET_EXHAUSTED, DIVERGED: Outcome.DIVERGED}


class Constants:
    """What stays the same for every run of a batch, by the names of the kernel's arguments, each (runs, ...)."""

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        dtype = np.dtype(specs[0].precision)
        observed = [observe_entries(spec.problem) for spec in specs]
        names = update_of(specs[0]).constants
        self.max_steps = np.array([spec.max_steps for spec in specs], dtype=np.int64)
        self.schedules = Schedules(specs)
        self.thresholds = _not_below([*map(float, LOSS_DECADES), 0.0], dtype)
        self.arrays: dict[str, Array] = {
            "targets": np.array([entries.values for entries in observed], dtype=dtype),
            "weights": np.array(
                [loss_weight(spec) * entries.mask for spec, entries in zip(specs, observed, strict=True)], dtype=dtype
            ),
            "constants": np.array([[getattr(spec.optimizer, name) for name in names] for spec in specs], dtype=dtype),
            "limits": _not_below([spec.stop.loss_below or 0.0 for spec in specs], dtype),
            "last_steps": self.max_steps,
        }

    def points_due(self, descents: Descents, alive: Array, steps: int) -> tuple[Array, Array]:
        """Bounds (after, until] of the steps that each run passes in a launch; empty for runs that are over."""
        after = np.full(len(descents.steps), NEVER, dtype=np.int64)
        after[alive] = descents.steps[alive] - ~descents.begun[alive]
        return after, np.minimum(descents.steps + steps, self.max_steps)


def _not_below(limits: Sequence[float], dtype: np.dtype[Any]) -> Array:
    """Limits in the run's precision, rounded up: a loss of that precision is below one exactly when below the other."""
    exact = np.array(limits)
    rounded = exact.astype(dtype)
    return np.where(rounded < exact, np.nextafter(rounded, dtype.type(np.inf)), rounded)


@dataclass(frozen=True)
class Launch:
    """Runs laid out for one launch; the last block is filled up with lanes that are over from the start.

    Attributes:
        members: positions of the runs in the batch, (runs,).
        blocks: how many blocks they fill.
        arrays: the kernel's arguments, written to by it.
        due_begin: (runs,), where each run's recorded points begin among all due points.
    """

    members: npt.NDArray[np.int64]
    blocks: int
    arrays: dict[str, Array]
    due_begin: npt.NDArray[np.int64]

    @property
    def steps_taken_by_blocks(self) -> npt.NDArray[np.int64]:
        """Final minus first step of the lane that went furthest, (blocks,)."""
        return (self.arrays["taken_steps"] - self.arrays["first_steps"]).reshape(self.blocks, -1).max(axis=1)


def lay_out(
    descents: Descents, constants: Constants, members: npt.NDArray[np.int64], program: Program, steps: int
) -> Launch:
    """The arguments of a launch that takes at most `steps` steps with each of `members`."""
    blocks = -(-len(members) // program.lanes)
    places = np.resize(members, blocks * program.lanes)
    status = np.where(descents.begun[places], GOING, FRESH).astype(np.int32)
    status[len(members) :] = OVER
    milestones = descents.milestones[places]
    reached = np.count_nonzero(milestones[:, : len(LOSS_DECADES)] != NOT_YET, axis=1).astype(np.int32)
    states = np.ascontiguousarray(descents.states[places])
    arrays: dict[str, Array] = {name: array[places] for name, array in constants.arrays.items()}
    arrays |= {"states": states, "status": status, "milestones": milestones, "reached": reached}
    arrays |= {"first_steps": descents.steps[places], "taken_steps": descents.steps[places]}
    arrays |= {"losses": np.zeros(len(places), dtype=states.dtype), "thresholds": constants.thresholds}
    runs, due_steps = constants.schedules.due(*constants.points_due(descents, members, steps))
    order = np.argsort(runs, kind="stable")  # they come schedule by schedule, each with its runs in order
    runs, due_steps = runs[order], due_steps[order]
    due = np.searchsorted(runs, places), np.searchsorted(runs, places, side="right")
    arrays |= {"due": due[0].astype(np.int64), "due_end": due[1].astype(np.int64), "due_steps": due_steps}
    arrays |= {"due_losses": np.zeros(len(runs), dtype=states.dtype)}
    arrays |= {"due_factors": np.zeros((len(runs), program.entries), dtype=states.dtype)}
    return Launch(members, blocks, arrays, due[0][: len(members)])


def read_back(launch: Launch, descents: Descents, constants: Constants, snapshots: Snapshots) -> None:
    """Enter where the runs stand after a launch, and what they recorded."""
    members, arrays = launch.members, launch.arrays
    own = slice(len(members))
    descents.states[members] = arrays["states"][own]
    descents.steps[members] = arrays["taken_steps"][own]
    descents.milestones[members] = arrays["milestones"][own]
    descents.begun[members] = True
    status = arrays["status"][own]
    for place in np.nonzero(status != GOING)[0]:
        descents.outcomes[members[place]] = OUTCOMES[int(status[place])]
    _add_points(launch, snapshots)
    _add_last_points(launch, np.nonzero(status != GOING)[0], descents, constants, snapshots)


def _add_points(launch: Launch, snapshots: Snapshots) -> None:
    counts = launch.arrays["due"][: len(launch.members)] - launch.due_begin
    if counts.any():
        starts = np.repeat(launch.due_begin - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        points = starts + np.arange(counts.sum())
        columns = (launch.arrays[name][points] for name in ("due_steps", "due_losses", "due_factors"))
        snapshots.add(np.repeat(launch.members, counts), *columns)


def _add_last_points(
    launch: Launch, over: npt.NDArray[np.int64], descents: Descents, constants: Constants, snapshots: Snapshots
) -> None:
    """The last step of a run that is over, unless its schedule has it: then it was recorded when it was taken."""
    scheduled = constants.schedules.contain(descents.steps)
    last = over[~scheduled[launch.members[over]]]
    if len(last):
        members, arrays = launch.members[last], launch.arrays
        entries = arrays["due_factors"].shape[1]
        snapshots.add(members, descents.steps[members], arrays["losses"][last], arrays["states"][last, :entries])
