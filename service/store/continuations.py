"""Runs that go on: one whose stop was moved, or one that failed or was cancelled and is tried again."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from service.store.leases import lock_runs
from service.store.revisions import CURRENT, take_revision
from service.store.tables import checkpoints, experiments, runs, trajectory_points
from workers.runs.milestones import forget_point

_WAITING = {"status": "queued", "lease_token": None, "finished_at": None, "attempts": 0}


def lock_run(connection: sa.Connection, public_id: str) -> None:
    """Nobody else changes this run until the transaction is over."""
    connection.execute(sa.select(runs.c.id).where(runs.c.public_id == public_id).with_for_update()).all()


def change_stop(connection: sa.Connection, run_id: int, values: Mapping[str, Any]) -> None:
    """Write a run's new spec; a slice in flight, computed under the old one, loses its lease and changes nothing."""
    take_revision(connection, runs.c.id == run_id)
    changed = {"lease_token": None, "revision": CURRENT, **values}
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(changed))


def reopen_run(connection: sa.Connection, run_id: int, unscheduled_step: int | None) -> None:
    """Let a run that was over go on from its checkpoint.

    Args:
        unscheduled_step: the last step, where its point was recorded for being the last one: it is taken back.
    """
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**_WAITING, outcome=None))
    if unscheduled_step is not None:
        _take_back(connection, run_id, unscheduled_step)


def retry_runs(connection: sa.Connection, *, run: str | None = None, experiment: str | None = None) -> int:
    """Queue a failed or cancelled run again, or all failed runs of an experiment; how many."""
    if run is not None:
        which = sa.and_(runs.c.public_id == run, runs.c.status.in_(("failed", "cancelled")))
    else:
        own = sa.select(experiments.c.id).where(experiments.c.public_id == experiment).scalar_subquery()
        which = sa.and_(runs.c.experiment_id == own, runs.c.status == "failed")
    lock_runs(connection, which)
    take_revision(connection, which)
    return connection.execute(sa.update(runs).where(which).values(**_WAITING, error=None, revision=CURRENT)).rowcount


def _take_back(connection: sa.Connection, run_id: int, step: int) -> None:
    points = trajectory_points
    connection.execute(sa.delete(points).where(points.c.run_id == run_id, points.c.step == step))
    signed = sa.select(points.c.step).where(points.c.run_id == run_id, points.c.determinant_sign != 0).limit(1)
    has_sign = connection.scalar(signed) is not None
    stored = connection.scalar(sa.select(checkpoints.c.milestones).where(checkpoints.c.run_id == run_id))
    assert stored is not None  # a run that is over has a checkpoint
    milestones = forget_point(stored, step, has_sign=has_sign)
    connection.execute(sa.update(checkpoints).where(checkpoints.c.run_id == run_id).values(milestones=milestones))
