"""Storage of slices' results, each in a single transaction and only while its lease holds."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from service.store.factor_snapshots import insert_snapshots
from service.store.inserts import insert_into
from service.store.leases import Lease, lock_runs
from service.store.point_writes import insert_points, summary_rows
from service.store.revisions import CURRENT, take_revision
from service.store.tables import checkpoints, runs, summaries
from workers.records import RunProgress, SliceResult

Changes = dict[str, Any]
_OF_NEXT_PHASE = ("batch_key", "numbers")
"""Columns of a run that a slice writes where another phase begins, and otherwise leaves as they are."""
_OF_PROGRESS = tuple(
    field.name for field in fields(RunProgress) if field.name in runs.c and field.name not in _OF_NEXT_PHASE
)
_OF_SLICE = tuple(field.name for field in fields(SliceResult) if field.name in runs.c)
_CHANGED = ("status", "step", "finished_at", *_OF_PROGRESS, *_OF_SLICE)
"""Columns of a run that a slice writes; a field of a worker's report goes to the column of its name."""


def apply_slice(connection: sa.Connection, lease: Lease, result: SliceResult, now: datetime) -> int:
    """Store points, snapshots, checkpoints, summaries and outcomes of the runs that still carry the lease's token.

    Returns:
        The number of stored runs; a second application of the same result stores none.
    """
    held = _held(connection, lease)
    members = {member: run_id for member, run_id in enumerate(lease.run_ids) if run_id in held}
    if not members:
        return 0
    insert_points(connection, members, result.points)
    insert_snapshots(connection, members, result.kept)
    stored = [(run_id, result.progress[member]) for member, run_id in members.items()]
    _upsert(connection, checkpoints, [_checkpoint(run_id, progress) for run_id, progress in stored])
    _upsert_summaries(connection, stored, result)
    take_revision(connection, runs.c.id.in_(held))
    _update_runs(connection, [_run_changes(run_id, lease.token, progress, result, now) for run_id, progress in stored])
    return len(members)


def fail_slice(connection: sa.Connection, lease: Lease, error: str, most_attempts: int, now: datetime) -> int:
    """Queue a failed batch again in halves; a batch of one run fails the run after `most_attempts`.

    Returns:
        The number of runs given up.
    """
    held = _held(connection, lease)
    if not held:
        return 0
    members, freed = runs.c.id.in_(held), {"lease_token": None}
    if len(lease.run_ids) > 1:
        half = (len(lease.run_ids) + 1) // 2
        connection.execute(sa.update(runs).where(members).values({**freed, "batch_limit": half}))
        return 0
    connection.execute(sa.update(runs).where(members).values({**freed, "attempts": runs.c.attempts + 1}))
    take_revision(connection, members)
    given_up = {"status": "failed", "error": error.replace("\0", "?"), "finished_at": now, "revision": CURRENT}
    hopeless = sa.and_(members, runs.c.attempts >= most_attempts)
    return connection.execute(sa.update(runs).where(hopeless).values(given_up)).rowcount


def _held(connection: sa.Connection, lease: Lease) -> set[int]:
    """The runs that still carry the lease's token, locked until the transaction ends."""
    return set(lock_runs(connection, runs.c.lease_token == lease.token))


def _checkpoint(run_id: int, progress: RunProgress) -> Changes | None:
    checkpoint = progress.checkpoint
    if checkpoint is None:
        return None
    return {
        "run_id": run_id,
        "step": checkpoint.step,
        "state": checkpoint.state.tobytes(),
        "milestones": checkpoint.milestones.tobytes(),
        "rank_search": None if checkpoint.rank_search is None else checkpoint.rank_search.tobytes(),
        "phase_ends": [list(end) for end in checkpoint.phase_ends] or None,
    }


def _upsert_summaries(
    connection: sa.Connection, stored: Sequence[tuple[int, RunProgress]], result: SliceResult
) -> None:
    """Write milestones of every run, and metrics of those that recorded a point in this slice."""
    begun = [(run_id, progress) for run_id, progress in stored if progress.checkpoint is not None]
    brief = [_brief_summary(run_id, progress) for run_id, progress in begun if progress.last_point is None]
    recorded = [
        (_brief_summary(run_id, progress), progress.last_point)
        for run_id, progress in begun
        if progress.last_point is not None
    ]
    metrics = summary_rows(result.points, [last_point for _, last_point in recorded])
    _upsert(connection, summaries, [values | measured for (values, _), measured in zip(recorded, metrics, strict=True)])
    _upsert(connection, summaries, brief)


def _brief_summary(run_id: int, progress: RunProgress) -> Changes:
    return {"run_id": run_id, **progress.summary}


def _run_changes(run_id: int, token: str, progress: RunProgress, result: SliceResult, now: datetime) -> Changes:
    over = progress.outcome is not None or progress.error is not None
    status = "failed" if progress.error is not None else "succeeded" if over else "running"
    new = {
        "status": status,
        "step": progress.checkpoint.step if progress.checkpoint else 0,
        "finished_at": now if over else None,
        **{name: getattr(progress, name) for name in (*_OF_PROGRESS, *_OF_NEXT_PHASE)},
        **{name: getattr(result, name) for name in _OF_SLICE},
    }
    bound = {f"new_{name}": value for name, value in new.items()}
    return {"key": run_id, "token": token, "seconds": result.seconds, "over": over, **bound}


def _update_runs(connection: sa.Connection, changes: Sequence[Changes]) -> None:
    statement = (
        sa.update(runs)
        .where(runs.c.id == sa.bindparam("key"), runs.c.lease_token == sa.bindparam("token"))
        .values(
            compute_seconds=runs.c.compute_seconds + sa.bindparam("seconds"),
            lease_token=None,
            batch_limit=0,
            attempts=0,
            revision=sa.case((sa.bindparam("over"), CURRENT), else_=runs.c.revision),
            **{name: sa.bindparam(f"new_{name}") for name in _CHANGED},
            **{name: sa.func.coalesce(_new(name), runs.c[name]) for name in _OF_NEXT_PHASE},
        )
    )
    connection.execute(statement, list(changes))


def _new(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(f"new_{name}", type_=runs.c[name].type)


def _upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any] | None]) -> None:
    by_columns: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row is not None:
            by_columns.setdefault(tuple(row), []).append(row)
    for names, values in by_columns.items():
        insert = insert_into(connection, table)
        changed = {name: insert.excluded[name] for name in names if name != "run_id"}
        connection.execute(insert.on_conflict_do_update(index_elements=["run_id"], set_=changed), values)
