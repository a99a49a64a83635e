"""Runs in the store: selections, and reads with summaries and factors."""

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
from service.store.tables import SHOWN, checkpoints, experiments, runs, summaries

CHUNK = 1000
"""Runs per read of a complete selection."""


@dataclass(frozen=True)
class RunSelection:
    """The runs of a list: conditions, an order (submission by default), and the row after which the list starts."""

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
_RUNS = sa.select(runs, *_EXPERIMENT, *_SUMMARY).select_from(_JOINED).where(SHOWN)


def find_run(connection: sa.Connection, public_id: str) -> RunRow | None:
    """A run with its summary and its experiment's id and tags; None without such a run."""
    row = connection.execute(_RUNS.where(runs.c.public_id == public_id)).mappings().first()
    return None if row is None else RunRow(row)


# A stored slice adds compute time, a lease changes the status, and every other change of a run takes a revision.
_VERSION = (runs.c.id, runs.c.revision, runs.c.status, runs.c.step, runs.c.compute_seconds)


def find_version(connection: sa.Connection, public_id: str) -> tuple[Any, ...] | None:
    """A version of a run, its summary and its points, which differs between their states; None without such a run."""
    query = sa.select(*_VERSION).join(experiments, runs.c.experiment_id == experiments.c.id)
    row = connection.execute(query.where(runs.c.public_id == public_id, SHOWN)).first()
    return None if row is None else tuple(row)


def list_runs(connection: sa.Connection, selection: RunSelection, limit: int) -> Sequence[RunRow]:
    """The first runs of a selection."""
    return _read(connection, mark_runs(connection, selection, limit))


def list_marked_runs(
    connection: sa.Connection, selection: RunSelection, limit: int
) -> tuple[Sequence[RunRow], Sequence[Mark]]:
    """The first runs of a selection, and the mark of each for the next page."""
    marks = mark_runs(connection, selection, limit)
    return _read(connection, marks), marks


def mark_runs(connection: sa.Connection, selection: RunSelection, limit: int) -> Sequence[Mark]:
    """Internal ids and sort values of the first runs of a selection, without their other columns."""
    dialect = connection.dialect.name
    if selection.experiment_id is not None:
        selection = replace(selection, experiment_id=full_id(connection, "experiment", selection.experiment_id))
    query = _where(sa.select(runs.c.id).select_from(_JOINED), selection, dialect)
    query = Keyset(RUN_HOME, selection.order, runs.c.id, dialect).apply(query, selection.after)
    return [Mark(tuple(values), row_id) for row_id, *values in connection.execute(query.limit(limit))]


def all_runs(database: Database, selection: RunSelection) -> Iterator[Sequence[RunRow]]:
    """All runs of a selection in chunks; no connection is held between chunks."""
    while True:
        with database.reading() as connection:
            rows, marks = list_marked_runs(connection, selection, CHUNK)
        if rows:
            yield rows
        if len(marks) < CHUNK:
            return
        selection = replace(selection, after=marks[-1])


def searches_ranks(connection: sa.Connection, run_id: int) -> bool:
    """Whether the descent of a run is over and the search for its ranks is not."""
    searching = sa.select(checkpoints.c.run_id).where(
        checkpoints.c.run_id == run_id, checkpoints.c.rank_search.is_not(None)
    )
    return connection.scalar(searching) is not None


def read_state(connection: sa.Connection, run_id: int, precision: str) -> npt.NDArray[Any] | None:
    """The run's stored state (factors, then the optimiser's vectors); None before the first stored slice."""
    state = connection.execute(sa.select(checkpoints.c.state).where(checkpoints.c.run_id == run_id)).scalar()
    return None if state is None else np.frombuffer(state, dtype=precision)


def _where(query: sa.Select[Any], selection: RunSelection, dialect: str) -> sa.Select[Any]:
    query = query.where(SHOWN)
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
