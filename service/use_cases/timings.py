"""How long runs and experiments took, and how fast they went."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from service.schemas.experiments import Experiment
from service.store.database import Database
from service.store.timings import read_work
from service.values.statuses import UNFINISHED


@dataclass(frozen=True)
class Timing:
    """How long something took and how fast it went; None where it has not begun.

    Attributes:
        duration: from the first start to the last end, or to now while it goes on.
        steps_per_second: of a run, in its computing time; of an experiment, all steps over the duration.
    """

    duration: timedelta | None
    steps_per_second: float | None


def run_timing(run: Mapping[str, Any]) -> Timing:
    """How long a run took, given its object."""
    return Timing(_between(run["started_at"], run["finished_at"], run["status"]), run["steps_per_second"])


def experiment_timing(database: Database, experiment: Experiment) -> Timing:
    """How long the runs of an experiment took together."""
    with database.reading() as connection:
        work = read_work(connection, experiment.id)
    duration = _between(work.started_at, work.finished_at, experiment.status)
    return Timing(duration, work.steps / duration.total_seconds() if duration and work.steps else None)


def _between(start: datetime | None, end: datetime | None, status: str) -> timedelta | None:
    end = datetime.now(UTC) if status in UNFINISHED else end
    return None if start is None or end is None else max(end - start, timedelta())
