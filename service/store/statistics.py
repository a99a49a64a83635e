"""Statistics of the store for metrics."""

from datetime import datetime

import sqlalchemy as sa

from service.store.tables import WAITING, runs
from service.values.statuses import RUN_STATUSES


def count_by_status(connection: sa.Connection) -> dict[str, int]:
    """Number of runs by status."""
    query = sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status)
    counts = {row.status: row[1] for row in connection.execute(query)}
    return dict.fromkeys(RUN_STATUSES, 0) | counts


def waiting_runs(connection: sa.Connection) -> tuple[int, datetime | None]:
    """Number of unfinished runs without a worker, and submission time of the oldest queued one."""
    waiting = connection.scalar(sa.select(sa.func.count()).select_from(runs).where(WAITING))
    oldest = sa.select(runs.c.created_at).where(WAITING, runs.c.status == "queued").order_by(runs.c.id).limit(1)
    return waiting or 0, connection.scalar(oldest)
