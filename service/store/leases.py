"""Leases of runs: each assigns runs to a slice, whose result is stored only while the runs carry its token.

A token begins with that of the dispatcher whose slice it is. Leases of runs therefore need no expiry: they end with the
lease of their dispatcher, whose runs the others then release.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.store.among import among
from service.store.revisions import take_revision
from service.store.spec_parts import read_parts
from service.store.tables import LEASED, WAITING, checkpoints, dispatchers, runs
from service.values.ids import new_id
from service.values.queues import QueueKey
from workers.records import Batch, Checkpoint, Member, PhaseEnd
from workers.runs.engines import BatchKey


@dataclass(frozen=True)
class Lease:
    """Runs leased to one slice.

    Attributes:
        token: stored in the rows of the runs while the lease holds.
        key: of the queue that the runs were taken from.
        run_ids: internal ids, in the order of the batch's members.
        computed_seconds: for how long the youngest of the runs has been computed.
    """

    token: str
    key: QueueKey
    run_ids: tuple[int, ...]
    batch: Batch
    computed_seconds: float = 0.0


NO_DISPATCHER = 0
"""Token of no dispatcher: runs leased for it are released by the first that looks."""

_RANDOM_CHARACTERS = 17
"""The last characters of a public id, 60 bits of which are drawn at random."""

_IN_ORDER = ("urgency", "share", "batch_key", "batch_limit")
"""Columns that identify a queue, in the order of the index of waiting runs."""


def _next_head(same: int) -> str:
    """SQL of the first run after a head with equal first `same` columns and a larger next column."""
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
"""Steps through the index of waiting runs from the head of a queue to the head of the next, skipping all others.

The next head is searched column by column, because SQLite uses an index only for the first column of a row comparison.
"""


def waiting_queues(connection: sa.Connection, batch: int, most: int) -> list[tuple[QueueKey, Mapping[Any, Any]]]:
    """Queues of waiting runs: the oldest (`first_run`), its size in `numbers`, and the count of `waiting` runs.

    Args:
        batch: number up to which each queue is counted at least.
        most: further runs counted over all queues, which bounds the cost of long queues.
    """
    rows = connection.execute(_QUEUES, {"batch": batch, "most": most}).mappings()
    return [(_key(row), row) for row in rows]


def _key(row: Mapping[Any, Any]) -> QueueKey:
    return QueueKey(BatchKey.parse(row["batch_key"]), row["batch_limit"] or None, -row["urgency"], row["share"])


def lease_runs(
    connection: sa.Connection, key: QueueKey, most: int, now: datetime, dispatcher: int = NO_DISPATCHER
) -> Lease | None:
    """Lease the oldest waiting runs of a queue, at most `most`, that no other dispatcher is leasing; None without any.

    Args:
        dispatcher: token of the dispatcher whose slice it is.
    """
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
    chosen = among(connection, runs.c.id, ids)
    take_revision(connection, sa.and_(chosen, runs.c.status == "queued"))
    token = f"{dispatcher}-{new_id()[-_RANDOM_CHARACTERS:]}"
    changes = {"lease_token": token, "status": "running"}
    started = sa.func.coalesce(runs.c.started_at, sa.literal(now, runs.c.started_at.type))
    connection.execute(sa.update(runs).where(chosen).values({**changes, "started_at": started}))
    rows = _load_rows(connection, token)
    batch = Batch(tuple(map(_member, rows)), read_parts(connection, rows).texts)
    return Lease(token, key, tuple(ids), batch, min(row["compute_seconds"] for row in rows))


def release_strays(connection: sa.Connection, dispatcher: int, tokens: Sequence[str]) -> int:
    """Release the runs that are in no slice, those of dispatchers that are gone included; returns their number.

    Args:
        dispatcher: token of the dispatcher that looks.
        tokens: of its slices in flight; the slices of the others are theirs to know.
    """
    of_its_slices = runs.c.lease_token.like(sa.cast(dispatchers.c.id, sa.String) + "-%")
    at_work = sa.select(dispatchers.c.id).where(dispatchers.c.name.is_not(None), dispatchers.c.id != dispatcher)
    of_others = at_work.where(of_its_slices).correlate(runs).exists()
    return _release(connection, sa.and_(LEASED, runs.c.lease_token.not_in(tokens), sa.not_(of_others)))


def held_tokens(connection: sa.Connection, tokens: Sequence[str]) -> set[str]:
    """Those of the given tokens that some run still carries."""
    carried = sa.select(runs.c.lease_token).distinct().where(LEASED, runs.c.lease_token.in_(tokens))
    return set(connection.scalars(carried))


def release_lease(connection: sa.Connection, token: str) -> int:
    """Release the runs of a slice that will not be stored; returns their number."""
    return _release(connection, runs.c.lease_token == token)


def lock_runs(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> Sequence[int]:
    """Keep others from changing selected runs until the transaction ends; returns their ids.

    Every change of several runs locks them first, in the order of their ids, so that transactions do not deadlock.
    """
    return connection.scalars(sa.select(runs.c.id).where(selected).order_by(runs.c.id).with_for_update()).all()


def _release(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> int:
    lock_runs(connection, selected)
    return connection.execute(sa.update(runs).where(selected).values(lease_token=None)).rowcount


def _load_rows(connection: sa.Connection, token: str) -> Sequence[Mapping[Any, Any]]:
    """What a batch needs of each run of a lease, in the order of their ids."""
    query = (
        sa.select(
            sa.cast(runs.c.spec, sa.Text).label("spec"),
            runs.c.experiment_id,
            runs.c.parts,
            runs.c.precision,
            runs.c.compute_seconds,
            checkpoints.c.step,
            checkpoints.c.state,
            checkpoints.c.milestones,
            checkpoints.c.rank_search,
            checkpoints.c.phase_ends,
        )
        .outerjoin(checkpoints, checkpoints.c.run_id == runs.c.id)
        .where(runs.c.lease_token == token)
        .order_by(runs.c.id)
    )
    return connection.execute(query).mappings().all()


def _member(row: Mapping[Any, Any]) -> Member:
    checkpoint = None
    if row["state"] is not None:
        state = np.frombuffer(row["state"], dtype=row["precision"])
        search = None if row["rank_search"] is None else np.frombuffer(row["rank_search"], dtype=np.int64)
        ends = tuple(PhaseEnd(step, time) for step, time in row["phase_ends"] or ())
        checkpoint = Checkpoint(row["step"], state, np.frombuffer(row["milestones"], dtype=np.int64), search, ends)
    return Member(row["spec"], checkpoint, row["parts"] or {})
