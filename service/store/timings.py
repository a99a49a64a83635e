"""How long experiments have taken, and how many steps."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from service.store.tables import experiments, runs


@dataclass(frozen=True)
class Work:
    """What the runs of an experiment took together.

    Attributes:
        started_at: when the first of them started; None before that.
        finished_at: when the last of them ended; None before the first end.
        steps: of all of them.
    """

    started_at: datetime | None
    finished_at: datetime | None
    steps: int


def read_work(connection: sa.Connection, public_id: str) -> Work:
    """What an experiment took; nothing without such an experiment."""
    of_it = sa.select(experiments.c.id).where(experiments.c.public_id == public_id).scalar_subquery()
    query = sa.select(
        sa.func.min(runs.c.started_at), sa.func.max(runs.c.finished_at), sa.func.coalesce(sa.func.sum(runs.c.step), 0)
    ).where(runs.c.experiment_id == of_it)
    started_at, finished_at, steps = connection.execute(query).one()
    return Work(started_at, finished_at, int(steps))
