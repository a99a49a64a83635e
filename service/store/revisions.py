"""Revisions: every change of an experiment's runs gets the experiment's next number, and events their order from it.

A revision is taken under a lock on the experiment's row, in the transaction that changes the runs and until it commits:
who reads revision n finds all that was changed up to it. (The order in which a sequence hands out numbers would not do,
for it is not the order in which transactions commit.)
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
"""In an update of runs whose status changes: the revision that their experiment has by then."""

EVENT_FIELDS = ("index", "status", "outcome", "step", "error")
"""What an event says of a run beside its id."""

_EVENT_COLUMNS = (runs.c.public_id, runs.c.revision, *(RUN_HOME.columns[(name,)] for name in EVENT_FIELDS))


def take_revision(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Give the experiments of some runs their next revision; whoever changes runs calls this with them locked."""
    theirs = experiments.c.id.in_(sa.select(runs.c.experiment_id).where(which))
    in_order = sa.select(experiments.c.id).where(theirs).order_by(experiments.c.id).with_for_update(key_share=True)
    ids = connection.scalars(in_order).all()
    if ids:
        values = {"revision": experiments.c.revision + 1}
        connection.execute(sa.update(experiments).where(experiments.c.id.in_(ids)).values(values))


def read_revisions(connection: sa.Connection, public_ids: Collection[str]) -> dict[str, int]:
    """The revisions of some experiments by their public ids; those that are gone are absent."""
    query = sa.select(experiments.c.public_id, experiments.c.revision).where(experiments.c.public_id.in_(public_ids))
    return {row.public_id: row.revision for row in connection.execute(query)}


def read_progress(connection: sa.Connection, public_id: str) -> Mapping[Any, Any] | None:
    """An experiment's id, revision and run counts by status, read in one statement so that they belong together."""
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
        after: revision and index of the last run already seen.
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
