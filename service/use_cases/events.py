"""Events of an experiment: `run` when a run ended or is to go on, `progress` after every change, `done` at the end.

Their ids follow from revisions: in an experiment of n runs, revision r owns the ids r (n + 2) to r (n + 2) + n + 1, of
which run i has the i-th, `progress` the last but one and `done` the last. Nothing is written for an event, so there is
nothing to prune: a client that comes back after a while gets each run that changed once, as it is now.
"""

from dataclasses import dataclass
from typing import Any, Literal

import orjson
import sqlalchemy as sa
from fastapi.sse import format_sse_event

from service.store import revisions as store
from service.store.database import Database
from service.use_cases.experiments import not_found
from service.values.statuses import RUN_STATUSES, UNFINISHED, status_of

FROM_THE_START = -1
MOST_RUNS_AT_ONCE = 1000
"""Run events in one reading; a client that has more to catch up with gets them in several."""


@dataclass(frozen=True)
class Event:
    """Something that a client is told of."""

    id: int
    kind: Literal["progress", "run", "done"]
    data: dict[str, Any]

    def frame(self) -> bytes:
        """As server-sent events have it."""
        return format_sse_event(id=str(self.id), event=self.kind, data_str=orjson.dumps(self.data).decode())


@dataclass(frozen=True)
class Reading:
    """Events as read in one go.

    Attributes:
        revision: of the experiment, when all of its events so far are among these or before them; else None.
        is_over: whether there will be no more events unless somebody asks a run to go on.
    """

    events: list[Event]
    revision: int | None
    is_over: bool


def check_position(database: Database, experiment_id: str, last_seen: int) -> bool:
    """Whether a client that has seen the events up to one has more to wait for; raises NotFound."""
    with database.reading() as connection:
        reading = read_events(connection, experiment_id, last_seen)
    if reading is None:
        raise not_found(experiment_id)
    return bool(reading.events) or not reading.is_over


def last_event_id(database: Database, experiment_id: str) -> int:
    """The id of the newest event so far, from which one goes on who has just read the experiment; raises NotFound."""
    with database.reading() as connection:
        row = store.read_progress(connection, experiment_id)
    if row is None:
        raise not_found(experiment_id)
    total = sum(row[status] for status in RUN_STATUSES)
    return row["revision"] * (total + 2) + total


def read_events(connection: sa.Connection, experiment_id: str, after: int) -> Reading | None:
    """The events after an id, in their order; None when the experiment is gone.

    An id that was never given out, as after the database was restored, stands for the start.
    """
    row = store.read_progress(connection, experiment_id)
    if row is None:
        return None
    revision, counts = row["revision"], {status: row[status] for status in RUN_STATUSES}
    total = sum(counts.values())
    progress_id = revision * (total + 2) + total
    after = after if after <= progress_id + 1 else FROM_THE_START
    seen = divmod(max(after, total - 1), total + 2)  # at revision 0 nothing had changed
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
