"""Statistics of the store, as metrics show them."""

from datetime import datetime

import sqlalchemy as sa

from service.store.tables import WAITING, runs
from service.values.statuses import RUN_STATUSES


def count_by_status(connection: sa.Connection) -> dict[str, int]:
    """How many runs are in which status."""
    query = sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status)
    found = {row.status: row[1] for row in connection.execute(query)}
    return dict.fromkeys(RUN_STATUSES, 0) | found


def waiting_runs(connection: sa.Connection) -> tuple[int, datetime | None]:
    """Runs that no worker computes just now, and when the oldest that has not begun was submitted."""
    waiting = connection.scalar(sa.select(sa.func.count()).select_from(runs).where(WAITING))
    oldest = sa.select(runs.c.created_at).where(WAITING, runs.c.status == "queued").order_by(runs.c.id).limit(1)
    return waiting or 0, connection.scalar(oldest)
