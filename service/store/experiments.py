"""Experiments in the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from service.queries.expressions import Expression
from service.queries.lists import Key
from service.store.fields import EXPERIMENT_HOME
from service.store.filters import Filter
from service.store.inserts import insert_into
from service.store.keyset import Keyset, Mark
from service.store.leases import lock_runs
from service.store.revisions import CURRENT, take_revision
from service.store.spec_parts import insert_parts
from service.store.tables import SHOWN, experiments, runs
from service.values.statuses import RUN_STATUSES, UNFINISHED

ExperimentRow = Mapping[str, Any]
"""A row of `experiments` and, under `counts`, the number of its runs by status."""


NO_PARTS: Mapping[str, str] = MappingProxyType({})

_SHOWN = [column for column in experiments.c if column.name not in ("run", "sweep")]


@dataclass(frozen=True)
class ExperimentSelection:
    """The experiments of a list: a condition, an order, and the row after which the list starts."""

    where: Expression | None = None
    order: tuple[Key, ...] = ()
    after: Mark | None = None


def insert_experiment(connection: sa.Connection, values: Mapping[str, Any]) -> int | None:
    """Write an experiment without its runs.

    Returns:
        Its internal id, None if another experiment has its idempotency key.
    """
    insert = insert_into(connection, experiments).on_conflict_do_nothing(index_elements=["idempotency_key"])
    return connection.scalar(insert.returning(experiments.c.id), values)


def insert_runs(
    connection: sa.Connection,
    experiment_id: int,
    run_rows: Sequence[Mapping[str, Any]],
    parts: Mapping[str, str] = NO_PARTS,
) -> None:
    """Write the runs of an experiment, by its internal id, and the long parts of their specs that it lacks."""
    insert_parts(connection, experiment_id, parts)
    connection.execute(sa.insert(runs), [{**row, "experiment_id": experiment_id} for row in run_rows])


def find_experiment(connection: sa.Connection, public_id: str) -> ExperimentRow | None:
    """An experiment's row with its run counts, None without such an experiment."""
    return _first(connection, sa.select(experiments).where(experiments.c.public_id == public_id, SHOWN))


def exists(connection: sa.Connection, public_id: str) -> bool:
    """Whether there is such an experiment."""
    query = sa.select(experiments.c.id).where(experiments.c.public_id == public_id, SHOWN)
    return connection.scalar(query) is not None


def find_by_idempotency_key(connection: sa.Connection, key: str) -> ExperimentRow | None:
    """The experiment submitted under a key, which may still be in the storing (expiry.py); None without one."""
    return _first(connection, sa.select(experiments).where(experiments.c.idempotency_key == key))


def list_experiments(
    connection: sa.Connection, selection: ExperimentSelection, limit: int
) -> tuple[list[ExperimentRow], Sequence[Mark]]:
    """The first experiments of a selection, newest first by default, and the mark of each for the next page.

    Their rows lack what was posted, which may be long.
    """
    dialect = connection.dialect.name
    query = sa.select(experiments.c.id).where(SHOWN)
    if selection.where is not None:
        query = query.where(Filter(EXPERIMENT_HOME, dialect).condition(selection.where))
    keyset = Keyset(EXPERIMENT_HOME, selection.order, experiments.c.id, dialect, newest_first=True)
    marks = keyset.read(connection, query, selection.after, limit)
    ids = [mark.row_id for mark in marks]
    unsorted = connection.execute(sa.select(*_SHOWN).where(experiments.c.id.in_(ids))).mappings()
    rows = sorted(_with_counts(connection, unsorted.all()), key=lambda row: ids.index(row["id"]))
    return rows, marks


def lock_attributes(connection: sa.Connection, public_id: str, with_runs: bool) -> dict[str, Any] | None:
    """What can be changed of an experiment, locked until the transaction ends; None without such an experiment.

    Args:
        with_runs: whether its runs are locked as well; they are locked first, as in every other transaction.
    """
    if with_runs:
        lock_runs(connection, runs.c.experiment_id == _id_of(public_id))
    query = sa.select(experiments.c.name, experiments.c.tags, experiments.c.priority)
    locked = query.where(experiments.c.public_id == public_id).with_for_update(key_share=True)
    row = connection.execute(locked).mappings().first()
    return None if row is None else {str(name): value for name, value in row.items()}


def change_experiment(connection: sa.Connection, public_id: str, values: Mapping[str, Any]) -> None:
    """Change fields of an experiment that `lock_attributes` locked; a priority is written to its runs as well."""
    if not values:
        return
    connection.execute(sa.update(experiments).where(experiments.c.public_id == public_id).values(values))
    if "priority" in values:
        members = runs.c.experiment_id == _id_of(public_id)
        connection.execute(sa.update(runs).where(members).values(urgency=-values["priority"]))


def cancel_runs(connection: sa.Connection, public_id: str, after: int, most: int, now: datetime) -> int | None:
    """Cancel some of an experiment's unfinished runs; a slice in flight loses its lease and changes nothing.

    Args:
        after: index beyond which to go on.
        most: runs to cancel.

    Returns:
        The index of the last cancelled run; None where no unfinished run was left.
    """
    chosen = (
        sa.select(runs.c.id, runs.c.index)
        .where(runs.c.experiment_id == _id_of(public_id), runs.c.index > after, runs.c.status.in_(UNFINISHED))
        .order_by(runs.c.index)
        .limit(most)
    )
    found = connection.execute(chosen).all()
    if not found:
        return None
    _cancel(connection, runs.c.id.in_([row.id for row in found]), now)
    return found[-1][1]


def cancel_run(connection: sa.Connection, public_id: str, now: datetime) -> None:
    """Cancel a run unless it is over."""
    _cancel(connection, runs.c.public_id == public_id, now)


def _cancel(connection: sa.Connection, selected: sa.ColumnElement[bool], now: datetime) -> None:
    unfinished = sa.and_(selected, runs.c.status.in_(UNFINISHED))
    lock_runs(connection, selected)
    take_revision(connection, unfinished)
    cancelled = {"status": "cancelled", "finished_at": now, "lease_token": None, "revision": CURRENT}
    connection.execute(sa.update(runs).where(unfinished).values(cancelled))


def _id_of(public_id: str) -> sa.ScalarSelect[int]:
    return sa.select(experiments.c.id).where(experiments.c.public_id == public_id).scalar_subquery()


def _first(connection: sa.Connection, query: sa.Select[Any]) -> ExperimentRow | None:
    row = connection.execute(query).mappings().first()
    return None if row is None else _with_counts(connection, [row])[0]


def _with_counts(connection: sa.Connection, rows: Sequence[Any]) -> list[ExperimentRow]:
    query = (
        sa.select(runs.c.experiment_id, runs.c.status, sa.func.count())
        .where(runs.c.experiment_id.in_([row["id"] for row in rows]))
        .group_by(runs.c.experiment_id, runs.c.status)
    )
    counts = {row["id"]: dict.fromkeys(RUN_STATUSES, 0) for row in rows}
    for experiment_id, status, count in connection.execute(query):
        counts[experiment_id][status] = count
    return [{**row, "counts": counts[row["id"]]} for row in rows]
