"""Heartbeats: when a dispatcher last gave a sign of life."""

from datetime import UTC, datetime

import sqlalchemy as sa

from service.store.tables import runs


def last_heartbeat(connection: sa.Connection) -> datetime | None:
    """When a dispatcher last held a lease, which it renews while slices are in flight; None if none is held."""
    until = connection.scalar(sa.select(sa.func.max(runs.c.leased_until)).where(runs.c.lease_token.is_not(None)))
    return None if until is None else min(until, datetime.now(UTC))
