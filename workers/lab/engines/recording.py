"""Recording: the states of a chunk that are on the schedules of their runs, computed for all runs at once."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.runs.schedules import recorded_steps
from workers.runs.spec import Record, RunSpec

Indices = npt.NDArray[np.int64]


class Schedules:
    """Schedules of the runs of a batch; runs with the same schedule are looked up together.

    Args:
        specs: of the batch.
        steps_of: the scheduled steps of a run, by its record and its last step; those of its points by default.
    """

    def __init__(self, specs: Sequence[RunSpec], steps_of: Callable[[Record, int], Indices] = recorded_steps) -> None:
        # The arrays are cached, so equal schedules are the same object.
        groups: dict[int, tuple[Indices, list[int]]] = {}
        for position, spec in enumerate(specs):
            steps = steps_of(spec.record, spec.max_steps)
            groups.setdefault(id(steps), (steps, []))[1].append(position)
        self._groups = [(steps, np.array(positions)) for steps, positions in groups.values()]

    @property
    def are_empty(self) -> bool:
        """Whether no run has a scheduled step."""
        return not any(len(steps) for steps, _ in self._groups)

    def due(self, after: Indices, until: Indices) -> tuple[Indices, Indices]:
        """Scheduled steps in (after, until] of each run.

        Args:
            after, until: (runs,), steps.

        Returns:
            Positions of runs and their steps, each (points,): schedule by schedule, in each run by run with ascending
            steps.
        """
        due = [_due_in_group(steps, runs, after[runs], until[runs]) for steps, runs in self._groups]
        runs, steps = (np.concatenate(part) for part in zip(*due, strict=True))
        return runs, steps

    def counts(self, after: Indices, until: Indices) -> Indices:
        """How many steps of each run `due` would return, (runs,)."""
        counts = np.zeros(len(after), dtype=np.int64)
        for steps, runs in self._groups:
            low, high = (np.searchsorted(steps, at[runs], side="right") for at in (after, until))
            counts[runs] = np.maximum(high - low, 0)
        return counts

    def hold(self, runs: Indices, steps: Indices) -> npt.NDArray[np.bool_]:
        """Whether each step is on the schedule of its run, (rows,); runs and steps (rows,)."""
        held = np.zeros(len(runs), dtype=bool)
        for scheduled, positions in self._groups:
            held |= np.isin(runs, positions) & np.isin(steps, scheduled)
        return held

    def contain(self, steps: Indices) -> npt.NDArray[np.bool_]:
        """Whether each run's step is on that run's schedule, (runs,)."""
        runs, _ = self.due(steps - 1, steps)
        contained = np.zeros(len(steps), dtype=bool)
        contained[runs] = True
        return contained


def _due_in_group(steps: Indices, runs: Indices, after: Indices, until: Indices) -> tuple[Indices, Indices]:
    low, high = np.searchsorted(steps, after, side="right"), np.searchsorted(steps, until, side="right")
    counts = np.maximum(high - low, 0)
    # Each run's `low`, less the points of the runs before it, plus the position of a point among all points.
    starts = np.repeat(low - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return np.repeat(runs, counts), steps[starts + np.arange(counts.sum())]


def with_last_steps(due: tuple[Indices, Indices], runs: Indices, last: Indices) -> tuple[Indices, Indices]:
    """Due steps with the last steps of runs that are over, each once, ordered by run and step."""
    pairs = np.stack([np.concatenate([due[0], runs]), np.concatenate([due[1], last])])
    unique = np.unique(pairs, axis=1)
    return unique[0], unique[1]


def affordable_runs(
    descents: Descents, alive: Indices, schedules: Schedules, snapshots: Snapshots, clock: Clock
) -> Indices:
    """Runs whose next step can be recorded within the time left, the least advanced first; at least one.

    Args:
        alive: positions of unfinished runs in the batch, ascending.
        schedules: those of the whole batch.

    Returns:
        Positions in the batch, ascending: all of `alive` where recording is cheap.
    """
    prices = snapshots.prices(alive)
    if 2 * prices.sum() <= clock.recording_seconds:  # a run that has not begun records step 0, too
        return alive
    reached = descents.steps - ~descents.begun
    costs = prices * schedules.counts(reached, descents.steps + 1)[alive]
    order = np.argsort(reached[alive], kind="stable")
    affordable = np.cumsum(costs[order]) <= clock.recording_seconds
    affordable[0] = True
    return np.sort(alive[order[affordable]])
