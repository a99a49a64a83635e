"""Readiness: whether requests can be answered, and whether a dispatcher works."""

from typing import Literal

from pydantic import BaseModel

from service.errors import NotReady
from service.store.database import Database
from service.store.dispatcher_lease import Heartbeat, dispatcher_heartbeat
from service.store.migrate import check_schema


class Readiness(BaseModel):
    """Requests can be answered. What is submitted without a dispatcher waits for one."""

    status: Literal["ok"] = "ok"
    dispatcher: Literal["working", "silent", "never seen"]
    dispatcher_seconds_ago: float | None


def check_ready(database: Database, needs_dispatcher: bool = True) -> Readiness:
    """The state of the service and of its dispatcher; raises NotReady.

    Without a dispatcher results can be read and experiments submitted without loss. A load balancer of API processes
    therefore sets `needs_dispatcher` to False.
    """
    check_schema(database)
    with database.reading() as connection:
        heartbeat = dispatcher_heartbeat(connection)
    state = _state(heartbeat)
    if needs_dispatcher and state != "working":
        raise NotReady(f"The dispatcher is {state}; start one with `rankward dispatcher`, what waits is not lost.")
    return Readiness(dispatcher=state, dispatcher_seconds_ago=heartbeat.seconds_ago)


def _state(heartbeat: Heartbeat) -> Literal["working", "silent", "never seen"]:
    if heartbeat.is_alive:
        return "working"
    return "never seen" if heartbeat.seconds_ago is None else "silent"
