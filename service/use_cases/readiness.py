"""Readiness: whether requests can be answered, and whether somebody is there to compute."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from service.errors import NotReady
from service.store.database import Database
from service.store.heartbeats import last_heartbeat
from service.store.migrate import check_schema

SILENT_AFTER_SECONDS = 30.0
"""Age of a dispatcher's last sign of life after which it counts as gone."""


class Readiness(BaseModel):
    """Requests can be answered. What is submitted without a dispatcher waits for one."""

    status: Literal["ok"] = "ok"
    dispatcher: Literal["working", "silent", "never seen"]
    dispatcher_seen_at: datetime | None


def check_ready(database: Database, needs_dispatcher: bool = False) -> Readiness:
    """Whether the service can answer; raises NotReady.

    A missing dispatcher is told and does not make an API unready unless asked: results can be read and experiments
    submitted without one, and nothing of it is lost.
    """
    check_schema(database)
    with database.reading() as connection:
        seen = last_heartbeat(connection)
    state = _state(seen)
    if needs_dispatcher and state != "working":
        raise NotReady(f"The dispatcher is {state}; start one with `rankward dispatcher`, what waits is not lost.")
    return Readiness(dispatcher=state, dispatcher_seen_at=seen)


def _state(seen: datetime | None) -> Literal["working", "silent", "never seen"]:
    if seen is None:
        return "never seen"
    return "working" if (datetime.now(UTC) - seen).total_seconds() < SILENT_AFTER_SECONDS else "silent"
