"""Heartbeats: when a dispatcher last gave a sign of life."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from service.store.tables import runs


@dataclass(frozen=True)
class Heartbeat:
    """What others may know of the active dispatcher.

    Attributes:
        is_alive: whether there is one whose lease has not run out.
        seconds_ago: how long ago it was last heard of; None when it never was.
    """

    is_alive: bool
    seconds_ago: float | None


def dispatcher_heartbeat(connection: sa.Connection) -> Heartbeat:
    """What the leases on runs say, which a dispatcher renews while slices are in flight."""
    until = connection.scalar(sa.select(sa.func.max(runs.c.leased_until)).where(runs.c.lease_token.is_not(None)))
    if until is None:
        return Heartbeat(is_alive=False, seconds_ago=None)
    silent = (datetime.now(UTC) - until).total_seconds()
    return Heartbeat(is_alive=silent < 0, seconds_ago=max(0.0, silent))
