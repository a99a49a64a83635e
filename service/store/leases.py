"""Leases of runs: which slice computes a run right now. It is stored only while its runs still carry its token.

Only the active dispatcher leases runs, so their leases need no end of their own: whoever takes over the dispatcher's
lease gives back every run that its predecessor had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.store.revisions import take_revision
from service.store.tables import LEASED, WAITING, checkpoints, runs
from service.values.ids import new_id
from service.values.queues import QueueKey
from workers.records import Batch, Checkpoint, Member
from workers.runs.engines import BatchKey


@dataclass(frozen=True)
class Lease:
    """Runs leased to one slice.

    Attributes:
        token: what the runs' rows carry while the lease holds.
        key: of the queue they were taken from.
        run_ids: internal ids, in the order of the batch's members.
    """

    token: str
    key: QueueKey
    run_ids: tuple[int, ...]
    batch: Batch


_IN_ORDER = ("urgency", "share", "batch_key", "batch_limit")
"""What tells queues apart, in the order of the index of waiting runs."""


def _next_head(same: int) -> str:
    """SQL of the first run after a head that shares the head's first `same` columns, and is beyond it in the next."""
    conditions = [f"runs.{column} = head.{column}" for column in _IN_ORDER[:same]]
    conditions.append(f"runs.{_IN_ORDER[same]} > head.{_IN_ORDER[same]}")
    order = ", ".join((*_IN_ORDER[same:], "id"))
    return f"""(
        SELECT runs.id FROM runs WHERE {WAITING.text}
        AND {" AND ".join(conditions)} ORDER BY {order} LIMIT 1
    )"""


_QUEUES = sa.text(f"""
WITH RECURSIVE heads(id) AS (
    SELECT * FROM (
        SELECT id FROM runs WHERE {WAITING.text}
        ORDER BY {", ".join(_IN_ORDER)}, id LIMIT 1
    ) AS first
    UNION ALL
    SELECT coalesce({", ".join(map(_next_head, reversed(range(len(_IN_ORDER)))))})
    FROM heads JOIN runs AS head ON head.id = heads.id
)
SELECT head.urgency, head.share, head.batch_key, head.batch_limit, head.id AS first_run, head.numbers, (
    SELECT count(*) FROM (
        SELECT 1 FROM runs WHERE {WAITING.text}
        AND runs.urgency = head.urgency AND runs.share = head.share
        AND runs.batch_key = head.batch_key AND runs.batch_limit = head.batch_limit
        LIMIT :batch + :most / (SELECT count(*) FROM heads)
    ) AS counted
) AS waiting
FROM heads JOIN runs AS head ON head.id = heads.id
""")
"""Steps through the index of waiting runs from one queue's first run to the next one's, past all that lie between.

The next one is looked for column by column: SQLite takes only the first column of a comparison of rows to its index.
"""


def waiting_queues(connection: sa.Connection, batch: int, most: int) -> list[tuple[QueueKey, Mapping[Any, Any]]]:
    """Runs that could be leased, by queue: the oldest (`first_run`), the `numbers` of one, and how many are `waiting`.

    Args:
        batch: count each queue at least as far as this,
        most: and beyond it no more than this over all queues, so that a long one costs no more than a short one.
    """
    rows = connection.execute(_QUEUES, {"batch": batch, "most": most}).mappings()
    return [(_key(row), row) for row in rows]


def _key(row: Mapping[Any, Any]) -> QueueKey:
    return QueueKey(BatchKey.parse(row["batch_key"]), row["batch_limit"] or None, -row["urgency"], row["share"])


def lease_runs(connection: sa.Connection, key: QueueKey, most: int, now: datetime) -> Lease | None:
    """Lease the oldest waiting runs of a queue, at most `most`; None when there are none any more."""
    ids = connection.scalars(
        sa.select(runs.c.id)
        .where(
            WAITING,
            runs.c.urgency == -key.priority,
            runs.c.share == key.share,
            runs.c.batch_key == str(key.batch_key),
            runs.c.batch_limit == (key.batch_limit or 0),
        )
        .order_by(runs.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    if not ids:
        return None
    take_revision(connection, sa.and_(runs.c.id.in_(ids), runs.c.status == "queued"))
    token = new_id()
    changes = {"lease_token": token, "status": "running"}
    started = sa.func.coalesce(runs.c.started_at, sa.literal(now, runs.c.started_at.type))
    connection.execute(sa.update(runs).where(runs.c.id.in_(ids)).values({**changes, "started_at": started}))
    return Lease(token, key, tuple(ids), _load_batch(connection, ids))


def release_others(connection: sa.Connection, tokens: Sequence[str]) -> int:
    """Give back the runs of all slices but those in flight, whose tokens these are; how many."""
    return _release(connection, sa.and_(LEASED, runs.c.lease_token.not_in(tokens)))


def release_lease(connection: sa.Connection, token: str) -> int:
    """Give back the runs of one slice that will not be stored; how many."""
    return _release(connection, runs.c.lease_token == token)


def lock_runs(connection: sa.Connection, which: sa.ColumnElement[bool]) -> Sequence[int]:
    """Keep others from changing some runs until the transaction ends; their ids.

    Whoever changes several runs locks them first: in the order of their ids, so that no two wait for each other.
    """
    return connection.scalars(sa.select(runs.c.id).where(which).order_by(runs.c.id).with_for_update()).all()


def _release(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    lock_runs(connection, which)
    return connection.execute(sa.update(runs).where(which).values(lease_token=None)).rowcount


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
