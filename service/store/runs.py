"""Runs in the store: selecting them, reading them back with their summaries and factors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.queries.expressions import Expression
from service.queries.lists import Key
from service.store.database import Database
from service.store.fields import RUN_HOME
from service.store.filters import Filter
from service.store.keyset import Keyset, Mark
from service.store.run_rows import RunRow
from service.store.short_ids import full_id
from service.store.tables import checkpoints, experiments, runs, summaries

CHUNK = 1000
"""Runs read at a time where all of a selection are."""


@dataclass(frozen=True)
class RunSelection:
    """Which runs to list, in which order, and after which row; in the order of submission by default."""

    experiment_id: str | None = None
    status: str | None = None
    where: Expression | None = None
    order: tuple[Key, ...] = ()
    after: Mark | None = None


_SUMMARY = [column.label(f"summary_{column.name}") for column in summaries.c if column.name != "run_id"]
_EXPERIMENT = (experiments.c.public_id.label("experiment_public_id"), experiments.c.tags.label("experiment_tags"))
_JOINED = runs.join(experiments, runs.c.experiment_id == experiments.c.id).outerjoin(
    summaries, summaries.c.run_id == runs.c.id
)
_RUNS = sa.select(runs, *_EXPERIMENT, *_SUMMARY).select_from(_JOINED)


def find_run(connection: sa.Connection, public_id: str) -> RunRow | None:
    """A run with its experiment's id and tags and its summary."""
    row = connection.execute(_RUNS.where(runs.c.public_id == public_id)).mappings().first()
    return None if row is None else RunRow(row)


# A slice that is stored takes time; what else changes a run gives it a revision, but for a lease, which starts it.
_VERSION = (runs.c.id, runs.c.revision, runs.c.status, runs.c.step, runs.c.compute_seconds)


def find_version(connection: sa.Connection, public_id: str) -> tuple[Any, ...] | None:
    """What tells one state of a run, its summary and its points from another, None when there is no such run."""
    row = connection.execute(sa.select(*_VERSION).where(runs.c.public_id == public_id)).first()
    return None if row is None else tuple(row)


def list_runs(connection: sa.Connection, selection: RunSelection, limit: int) -> Sequence[RunRow]:
    """The first runs of a selection, as `find_run` gives them."""
    return _read(connection, mark_runs(connection, selection, limit))


def list_marked_runs(
    connection: sa.Connection, selection: RunSelection, limit: int
) -> tuple[Sequence[RunRow], Sequence[Mark]]:
    """The first runs of a selection, and where a list goes on after each."""
    marks = mark_runs(connection, selection, limit)
    return _read(connection, marks), marks


def mark_runs(connection: sa.Connection, selection: RunSelection, limit: int) -> Sequence[Mark]:
    """Internal ids and sort values of the first runs of a selection; no row is read whole."""
    dialect = connection.dialect.name
    if selection.experiment_id is not None:
        selection = replace(selection, experiment_id=full_id(connection, "experiment", selection.experiment_id))
    query = _where(sa.select(runs.c.id).select_from(_JOINED), selection, dialect)
    query = Keyset(RUN_HOME, selection.order, runs.c.id, dialect).apply(query, selection.after)
    return [Mark(tuple(values), row_id) for row_id, *values in connection.execute(query.limit(limit))]


def all_runs(database: Database, selection: RunSelection) -> Iterator[Sequence[RunRow]]:
    """All runs of a selection in chunks; between two of them no connection is held."""
    while True:
        with database.reading() as connection:
            rows, marks = list_marked_runs(connection, selection, CHUNK)
        if rows:
            yield rows
        if len(marks) < CHUNK:
            return
        selection = replace(selection, after=marks[-1])


def searches_ranks(connection: sa.Connection, run_id: int) -> bool:
    """Whether a run has descended and its ranks are still being searched for."""
    found = sa.select(checkpoints.c.run_id).where(
        checkpoints.c.run_id == run_id, checkpoints.c.rank_search.is_not(None)
    )
    return connection.scalar(found) is not None


def read_state(connection: sa.Connection, run_id: int, precision: str) -> npt.NDArray[Any] | None:
    """The run's stored state (factors, then the optimiser's vectors), None before its first slice was stored."""
    state = connection.execute(sa.select(checkpoints.c.state).where(checkpoints.c.run_id == run_id)).scalar()
    return None if state is None else np.frombuffer(state, dtype=precision)


def _where(query: sa.Select[Any], selection: RunSelection, dialect: str) -> sa.Select[Any]:
    if selection.experiment_id is not None:
        query = query.where(experiments.c.public_id == selection.experiment_id)
    if selection.status is not None:
        query = query.where(runs.c.status == selection.status)
    if selection.where is not None:
        query = query.where(Filter(RUN_HOME, dialect).condition(selection.where))
    return query


def _read(connection: sa.Connection, marks: Sequence[Mark]) -> Sequence[RunRow]:
    if not marks:
        return []
    rows = connection.execute(_RUNS.where(runs.c.id.in_([mark.row_id for mark in marks]))).mappings()
    by_id = {row["id"]: RunRow(row) for row in rows}
    return [by_id[mark.row_id] for mark in marks if mark.row_id in by_id]
