"""Schedules: which steps of a run are recorded, as data."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from workers.specs.run import Record

Steps = npt.NDArray[np.int64]


@lru_cache(maxsize=256)
def recorded_steps(record: Record, max_steps: int) -> Steps:
    """Scheduled steps from 0 to `max_steps`, ascending.

    A step is on the schedule whatever `max_steps` is, so that a run extended later has the points of one that asked for
    more from the start; the last step of a run is recorded on top of these.

    Returns:
        int64 array of shape (points,), never to be written to.
    """
    if record.every is not None:
        steps = np.arange(0, max_steps + 1, record.every, dtype=np.int64)
    else:
        steps = _log_spaced(record.points_per_decade or 1, max_steps)
    steps.setflags(write=False)
    return steps


def is_scheduled(step: int, record: Record) -> bool:
    """Whether a step is on the schedule, whatever step the run ends at."""
    return bool(recorded_steps(record, step)[-1] == step)


def count_points(record: Record, max_steps: int) -> int:
    """The most points that a run of `max_steps` steps can record, computed without listing them all."""
    if record.every is not None:
        return max_steps // record.every + 1 + (max_steps % record.every > 0)
    steps = recorded_steps(record, max_steps)
    return len(steps) + int(steps[-1] != max_steps)


def _log_spaced(points_per_decade: int, max_steps: int) -> Steps:
    last = int(np.ceil(np.log10(max(max_steps, 1)) * points_per_decade))
    powers = np.rint(10.0 ** (np.arange(last + 1) / points_per_decade)).astype(np.int64)
    steps = np.unique(np.concatenate([[0], powers]))
    return steps[steps <= max_steps]
