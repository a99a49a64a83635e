"""Schedules: the steps of a descent, and the times of a flow, that are recorded."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from workers.runs.snapshots import count_kept, kept_steps
from workers.runs.spec import Record, RunSpec
from workers.runs.stops import LATEST_TIME

Steps = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]

FIRST_TIME = 1e-3
"""Time of a flow's first point after its start."""


@lru_cache(maxsize=256)
def recorded_steps(record: Record, max_steps: int) -> Steps:
    """Scheduled steps from 0 to `max_steps`, ascending.

    Whether a step is on the schedule does not depend on `max_steps`. A run extended later therefore has the same points
    as a run with more steps from the start. The last step of a run is recorded in addition.

    Returns:
        int64 array of shape (points,), never to be written to.
    """
    if record.every == 0 or record.points_per_decade == 0:
        steps = np.zeros(1, dtype=np.int64)
    elif record.every is not None:
        steps = np.arange(0, max_steps + 1, record.every, dtype=np.int64)
    else:
        steps = _log_spaced(record.per_decade, max_steps)
    steps.setflags(write=False)
    return steps


@lru_cache(maxsize=256)
def due_steps(record: Record, max_steps: int) -> Steps:
    """The steps of `recorded_steps` and those whose factors are kept, ascending."""
    recorded, kept = recorded_steps(record, max_steps), kept_steps(record, max_steps)
    return np.union1d(recorded, kept) if len(kept) else recorded


def is_scheduled(spec: RunSpec, step: int, time: float) -> bool:
    """Whether the last point of a run is on its schedule; otherwise it was recorded only because it is the last.

    Args:
        step: the number of the last step; for a flow, that of its last point.
        time: the time of the last point.
    """
    if spec.is_flow:
        times = recorded_times(spec.record.per_decade)
        return step < len(times) and bool(times[step] == time)
    return bool(recorded_steps(spec.record, step)[-1] == step)


def count_points(record: Record, max_steps: int) -> int:
    """The most points that a run of `max_steps` steps can record, without listing the steps of an even schedule."""
    if record.every:
        return max_steps // record.every + 1 + (max_steps % record.every > 0)
    steps = recorded_steps(record, max_steps)
    return len(steps) + int(steps[-1] != max_steps)


@lru_cache(maxsize=16)
def recorded_times(points_per_decade: int) -> Times:
    """Times at which the points of a flow are recorded: point n at the n-th time; the end of the flow in addition.

    The times are 0, FIRST_TIME, and then `points_per_decade` in every decade up to LATEST_TIME. They do not depend on
    where the flow ends, so a flow extended later has the same points as a flow that was longer from the start.

    Returns:
        float64 array, ascending, never to be written to.
    """
    decades = np.log10(LATEST_TIME / FIRST_TIME)
    powers = np.arange(int(np.ceil(decades * points_per_decade)) + 1) / max(points_per_decade, 1)
    times = np.concatenate([[0.0], FIRST_TIME * 10.0 ** powers[: len(powers) if points_per_decade else 0]])
    times.setflags(write=False)
    return times


def count_flow_points(points_per_decade: int, max_time: float) -> int:
    """The most points that a flow to `max_time` can record."""
    times = recorded_times(points_per_decade)
    return int(np.searchsorted(times, max_time, side="left")) + 1


def most_kept(spec: RunSpec) -> int:
    """The most steps at which a run keeps its factors."""
    if not spec.model.is_trained:
        return 0
    if spec.is_flow:
        return count_kept(spec.record, count_flow_points(spec.record.per_decade, spec.max_time) - 1)
    return count_kept(spec.record, spec.most_steps)


def _log_spaced(points_per_decade: int, max_steps: int) -> Steps:
    last = int(np.ceil(np.log10(max(max_steps, 1)) * points_per_decade))
    powers = np.rint(10.0 ** (np.arange(last + 1) / points_per_decade)).astype(np.int64)
    steps = np.unique(np.concatenate([[0], powers]))
    return steps[steps <= max_steps]
