"""Events of an experiment: `run` after a run's end or continuation, `progress` after every change, `done` at the end.

Ids follow from revisions. In an experiment of n runs, revision r has the ids r (n + 2) to r (n + 2) + n + 1: run i the
i-th, `progress` the last but one and `done` the last. Events are not stored, so there is nothing to prune. A client
that returns later gets each changed run once, in its present state.
"""

from dataclasses import dataclass
from typing import Any, Literal

import orjson
import sqlalchemy as sa
from fastapi.sse import format_sse_event

from service.exports.json_lines import on_one_line
from service.store import revisions as store
from service.store.database import Database
from service.use_cases.experiments import not_found
from service.values.statuses import RUN_STATUSES, UNFINISHED, status_of

FROM_THE_START = -1
MOST_RUNS_AT_ONCE = 1000
"""Run events per reading; further events follow in later readings."""


@dataclass(frozen=True)
class Event:
    """A message to clients."""

    id: int
    kind: Literal["progress", "run", "done"]
    data: dict[str, Any]

    def frame(self) -> bytes:
        """The event in the format of server-sent events."""
        return format_sse_event(
            id=str(self.id), event=self.kind, data_str=on_one_line(orjson.dumps(self.data)).decode()
        )


@dataclass(frozen=True)
class Reading:
    """Events of a single read.

    Attributes:
        revision: of the experiment, if no later events are left to read; else None.
        is_over: whether no more events follow unless a run is continued.
    """

    events: list[Event]
    revision: int | None
    is_over: bool


def check_position(database: Database, experiment_id: str, last_seen: int) -> bool:
    """Whether more events follow, or may follow, the last one that a client has seen; raises NotFound."""
    with database.reading() as connection:
        reading = read_events(connection, experiment_id, last_seen)
    if reading is None:
        raise not_found(experiment_id)
    return bool(reading.events) or not reading.is_over


def last_event_id(database: Database, experiment_id: str) -> int:
    """The id of the newest event, for clients that have just read the experiment; raises NotFound."""
    with database.reading() as connection:
        row = store.read_progress(connection, experiment_id)
    if row is None:
        raise not_found(experiment_id)
    total = sum(row[status] for status in RUN_STATUSES)
    return row["revision"] * (total + 2) + total


def read_events(connection: sa.Connection, experiment_id: str, after: int) -> Reading | None:
    """The events after an id, in order; None without such an experiment.

    An id beyond the newest one, as after the database was restored, stands for the start.
    """
    row = store.read_progress(connection, experiment_id)
    if row is None:
        return None
    revision, counts = row["revision"], {status: row[status] for status in RUN_STATUSES}
    total = sum(counts.values())
    progress_id = revision * (total + 2) + total
    after = after if after <= progress_id + 1 else FROM_THE_START
    seen = divmod(max(after, total - 1), total + 2)  # skips revision 0, at which no run has changed
    changed = store.read_changed_runs(connection, row["id"], seen, revision, MOST_RUNS_AT_ONCE + 1)
    events = [_run_event(run, total) for run in changed[:MOST_RUNS_AT_ONCE]]
    if len(changed) > MOST_RUNS_AT_ONCE:
        return Reading(events, None, is_over=False)
    is_over = not any(counts[status] for status in UNFINISHED)
    data = {"experiment_id": experiment_id, "status": status_of(counts), "runs": {"total": total, **counts}}
    if after < progress_id:
        events.append(Event(progress_id, "progress", data))
    if after <= progress_id and is_over:
        events.append(Event(progress_id + 1, "done", data))
    return Reading(events, revision, is_over)


def _run_event(row: Any, total: int) -> Event:
    data = {"id": row["public_id"], **{name: row[name] for name in store.EVENT_FIELDS}}
    return Event(row["revision"] * (total + 2) + row["index"], "run", data)
