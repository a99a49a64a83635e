"""Leases: who may compute a run right now. A slice is stored only while its runs still carry its token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.ids import new_id
from service.store.revisions import take_revision
from service.store.tables import WAITING, checkpoints, runs
from workers.records import Batch, Checkpoint, Member


@dataclass(frozen=True)
class Lease:
    """Runs leased to one slice.

    Attributes:
        token: what the runs' rows carry while the lease holds.
        run_ids: internal ids, in the order of the batch's members.
    """

    token: str
    run_ids: tuple[int, ...]
    batch: Batch


def waiting_queues(connection: sa.Connection) -> Sequence[Mapping[Any, Any]]:
    """Runs that could be leased, by batch key and batch limit: how many, the oldest, the size of one run."""
    query = (
        sa.select(
            runs.c.batch_key,
            runs.c.batch_limit,
            sa.func.count().label("waiting"),
            sa.func.min(runs.c.id).label("first_run"),
            sa.func.max(runs.c.numbers).label("numbers"),
        )
        .where(WAITING)
        .group_by(runs.c.batch_key, runs.c.batch_limit)
    )
    return connection.execute(query).mappings().all()


def lease_runs(
    connection: sa.Connection, batch_key: str, batch_limit: int | None, most: int, until: datetime, now: datetime
) -> Lease | None:
    """Lease the oldest waiting runs of a batch key, at most `most`; None when there are none any more."""
    ids = connection.scalars(
        sa.select(runs.c.id)
        .where(WAITING, runs.c.batch_key == batch_key, runs.c.batch_limit.is_not_distinct_from(batch_limit))
        .order_by(runs.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    if not ids:
        return None
    take_revision(connection, sa.and_(runs.c.id.in_(ids), runs.c.status == "queued"))
    token = new_id()
    changes = {"lease_token": token, "leased_until": until, "status": "running"}
    started = sa.func.coalesce(runs.c.started_at, sa.literal(now, runs.c.started_at.type))
    connection.execute(sa.update(runs).where(runs.c.id.in_(ids)).values({**changes, "started_at": started}))
    return Lease(token, tuple(ids), _load_batch(connection, ids))


def renew_leases(connection: sa.Connection, tokens: Sequence[str], until: datetime) -> None:
    """Keep the leases of slices in flight."""
    connection.execute(sa.update(runs).where(runs.c.lease_token.in_(tokens)).values(leased_until=until))


def release_expired(connection: sa.Connection, now: datetime) -> int:
    """Give back runs whose lease was not renewed; how many."""
    return _release(connection, sa.and_(runs.c.lease_token.is_not(None), runs.c.leased_until < now))


def release_all(connection: sa.Connection) -> int:
    """Give back all runs: for a dispatcher that knows it is the only one; how many."""
    return _release(connection, runs.c.lease_token.is_not(None))


def release_lease(connection: sa.Connection, token: str) -> int:
    """Give back the runs of one slice that will not be stored; how many."""
    return _release(connection, runs.c.lease_token == token)


def _release(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.update(runs).where(which).values(lease_token=None, leased_until=None)).rowcount


def _load_batch(connection: sa.Connection, ids: Sequence[int]) -> Batch:
    query = (
        sa.select(
            sa.cast(runs.c.spec, sa.Text).label("spec"),
            runs.c.precision,
            checkpoints.c.step,
            checkpoints.c.state,
            checkpoints.c.milestones,
            checkpoints.c.rank_search,
        )
        .outerjoin(checkpoints, checkpoints.c.run_id == runs.c.id)
        .where(runs.c.id.in_(ids))
        .order_by(runs.c.id)
    )
    return Batch(tuple(_member(row) for row in connection.execute(query).mappings()))


def _member(row: Mapping[Any, Any]) -> Member:
    checkpoint = None
    if row["state"] is not None:
        state = np.frombuffer(row["state"], dtype=row["precision"])
        search = None if row["rank_search"] is None else np.frombuffer(row["rank_search"], dtype=np.int64)
        checkpoint = Checkpoint(row["step"], state, np.frombuffer(row["milestones"], dtype=np.int64), search)
    return Member(row["spec"], checkpoint)
