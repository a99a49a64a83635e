"""Readiness: whether requests can be answered, and how many dispatchers work."""

from typing import Literal

from pydantic import BaseModel

from service.errors import NotReady
from service.store.database import Database
from service.store.dispatchers import AtWork, dispatchers_at_work
from service.store.schema import check_schema


class Readiness(BaseModel):
    """Requests can be answered. What is submitted without a dispatcher waits for one."""

    status: Literal["ok"] = "ok"
    dispatcher: Literal["working", "silent", "never seen"]
    dispatchers: int
    dispatcher_seconds_ago: float | None


def check_ready(database: Database, needs_dispatcher: bool = True) -> Readiness:
    """The state of the service and of its dispatchers; raises NotReady.

    Without a dispatcher results can be read and experiments submitted without loss. A load balancer of API processes
    therefore sets `needs_dispatcher` to False.
    """
    check_schema(database)
    with database.reading() as connection:
        at_work = dispatchers_at_work(connection)
    state = _state(at_work)
    if needs_dispatcher and state != "working":
        raise NotReady(f"The dispatcher is {state}; start one with `rankward dispatcher`, what waits is not lost.")
    return Readiness(dispatcher=state, dispatchers=len(at_work.names), dispatcher_seconds_ago=at_work.seconds_ago)


def _state(at_work: AtWork) -> Literal["working", "silent", "never seen"]:
    if at_work.names:
        return "working"
    return "never seen" if at_work.seconds_ago is None else "silent"
