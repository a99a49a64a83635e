"""Continuations of runs: after a moved stop, or after a failure or cancellation."""

import sqlalchemy as sa

from service.store.leases import lock_runs
from service.store.revisions import CURRENT, take_revision
from service.store.run_rows import NewRun
from service.store.spec_parts import insert_parts
from service.store.tables import checkpoints, runs, trajectory_points
from service.values.statuses import RETRIABLE
from workers.runs.milestones import forget_point

_WAITING = {"status": "queued", "lease_token": None, "finished_at": None, "attempts": 0}


def lock_run(connection: sa.Connection, public_id: str) -> None:
    """Keep others from changing a run until the transaction ends."""
    connection.execute(sa.select(runs.c.id).where(runs.c.public_id == public_id).with_for_update()).all()


def change_stop(connection: sa.Connection, run_id: int, experiment_id: int, new: NewRun) -> None:
    """Write a run's new spec; a slice in flight, computed under the old one, loses its lease and changes nothing."""
    take_revision(connection, runs.c.id == run_id)
    insert_parts(connection, experiment_id, new.parts)  # there already, unless an earlier version stored the spec whole
    changed = {"lease_token": None, "revision": CURRENT, **new.values}
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(changed))


def reopen_run(connection: sa.Connection, run_id: int, unscheduled_step: int | None) -> None:
    """Queue a finished run again, from its checkpoint.

    Args:
        unscheduled_step: the last step, if its point was recorded only because it was the last. The point is removed,
            unless it is the last one of a phase.
    """
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**_WAITING, outcome=None))
    if unscheduled_step is not None and unscheduled_step not in _ends_of_phases(connection, run_id):
        _remove_point(connection, run_id, unscheduled_step)


def retriable(*, run_id: int | None = None, experiment_id: int | None = None) -> sa.ColumnElement[bool]:
    """The condition of runs that can be tried again: a single one, or all of an experiment, by internal id."""
    of = runs.c.id == run_id if run_id is not None else runs.c.experiment_id == experiment_id
    return sa.and_(of, runs.c.status.in_(RETRIABLE))


def work_of(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> tuple[int, float]:
    """Number of selected runs, and their multiply-adds at most."""
    cost = sa.func.coalesce(sa.func.sum(runs.c.max_multiply_adds), 0.0)
    count, multiply_adds = connection.execute(sa.select(sa.func.count(), cost).where(selected)).one()
    return count, float(multiply_adds)


def retry_runs(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> None:
    """Queue runs again that satisfy a condition of `retriable`."""
    lock_runs(connection, selected)
    take_revision(connection, selected)
    connection.execute(sa.update(runs).where(selected).values(**_WAITING, error=None, revision=CURRENT))


def _ends_of_phases(connection: sa.Connection, run_id: int) -> list[int]:
    """The steps at which phases of a run ended, other than the last one."""
    ends = connection.scalar(sa.select(checkpoints.c.phase_ends).where(checkpoints.c.run_id == run_id))
    return [step for step, _ in ends or ()]


def _remove_point(connection: sa.Connection, run_id: int, step: int) -> None:
    points = trajectory_points
    connection.execute(sa.delete(points).where(points.c.run_id == run_id, points.c.step == step))
    signed = sa.select(points.c.step).where(points.c.run_id == run_id, points.c.determinant_sign != 0).limit(1)
    has_sign = connection.scalar(signed) is not None
    stored = connection.scalar(sa.select(checkpoints.c.milestones).where(checkpoints.c.run_id == run_id))
    assert stored is not None  # every finished run has a checkpoint
    milestones = forget_point(stored, step, has_sign=has_sign)
    connection.execute(sa.update(checkpoints).where(checkpoints.c.run_id == run_id).values(milestones=milestones))
