"""Revisions: every change of an experiment's runs gets the experiment's next number, which also orders events.

The transaction that changes the runs takes the revision under a lock on the experiment's row, and holds the lock until
its commit. A reader of revision n therefore sees all changes up to n. (A sequence would not do: its numbers are not in
the order in which transactions commit.)
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from service.store.fields import RUN_HOME
from service.store.tables import experiments, runs
from service.values.statuses import RUN_STATUSES

CURRENT = (
    sa.select(experiments.c.revision).where(experiments.c.id == runs.c.experiment_id).correlate(runs).scalar_subquery()
)
"""The current revision of a run's experiment, for updates of runs whose status changes."""

EVENT_FIELDS = ("index", "status", "outcome", "step", "error")
"""Fields of a run in an event, beside its id."""

_EVENT_COLUMNS = (runs.c.public_id, runs.c.revision, *(RUN_HOME.columns[(name,)] for name in EVENT_FIELDS))


def take_revision(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> None:
    """Give the experiments of selected runs their next revision; callers have locked the runs."""
    of_runs = experiments.c.id.in_(sa.select(runs.c.experiment_id).where(selected))
    in_order = sa.select(experiments.c.id).where(of_runs).order_by(experiments.c.id).with_for_update(key_share=True)
    ids = connection.scalars(in_order).all()
    if ids:
        values = {"revision": experiments.c.revision + 1}
        connection.execute(sa.update(experiments).where(experiments.c.id.in_(ids)).values(values))


def read_revisions(connection: sa.Connection, public_ids: Collection[str]) -> dict[str, int]:
    """The revisions of experiments by public id; deleted experiments are absent."""
    query = sa.select(experiments.c.public_id, experiments.c.revision).where(experiments.c.public_id.in_(public_ids))
    return {row.public_id: row.revision for row in connection.execute(query)}


def read_progress(connection: sa.Connection, public_id: str) -> Mapping[Any, Any] | None:
    """An experiment's id, revision and run counts by status, read consistently in a single statement."""
    counts = (
        sa.select(sa.func.count())
        .where(runs.c.experiment_id == experiments.c.id, runs.c.status == status)
        .scalar_subquery()
        .label(status)
        for status in RUN_STATUSES
    )
    query = sa.select(experiments.c.id, experiments.c.revision, *counts).where(experiments.c.public_id == public_id)
    return connection.execute(query).mappings().first()


def read_changed_runs(
    connection: sa.Connection, experiment_id: int, after: tuple[int, int], up_to: int, limit: int
) -> Sequence[Mapping[Any, Any]]:
    """Runs whose status changed, in the order of (revision, index).

    Args:
        after: revision and index of the last run seen.
        up_to: the last revision to read.
    """
    later = sa.tuple_(runs.c.revision, runs.c.index) > sa.tuple_(*after)
    query = (
        sa.select(*_EVENT_COLUMNS)
        .where(runs.c.experiment_id == experiment_id, later, runs.c.revision <= up_to)
        .order_by(runs.c.revision, runs.c.index)
        .limit(limit)
    )
    return connection.execute(query).mappings().all()
