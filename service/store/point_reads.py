"""Points of many runs, read in bulk: rows as the driver gives them, and no connection held between two reads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from service.store.database import Database
from service.store.postgresql import binary_cursor
from service.store.tables import trajectory_points
from workers.runs.metrics import TRAJECTORY_COLUMNS

POINTS_PER_READ = 2**14
RUNS_PER_READ = 1000
ROWS_AT_ONCE = 2**11
"""Rows that are Python objects at a time: few enough to stay in the processor's cache until they are converted."""

Piece = TypeVar("Piece")
Columns = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class PointSelection:
    """Which columns of which steps are read: from_step <= step <= to_step.

    Attributes:
        names: of columns beside `step`.
    """

    names: tuple[str, ...]
    from_step: int | None = None
    to_step: int | None = None


def read_points_of(
    database: Database, run_ids: Sequence[int], selection: PointSelection, convert: Callable[[Columns], Piece]
) -> Iterator[list[Piece]]:
    """Points of runs by ascending internal id and step, a few ten thousand at a time.

    Args:
        run_ids: internal ids, ascending.
        convert: takes columns of equal length (the run's internal id, `step`, then the selection's; None where the
            database has NULL, vectors as their JSON texts) of some of the points; called while a connection is held.
    """
    for start in range(0, len(run_ids), RUNS_PER_READ):
        yield from _read(database, run_ids[start : start + RUNS_PER_READ], selection, convert)


def _read(
    database: Database, run_ids: Sequence[int], selection: PointSelection, convert: Callable[[Columns], Piece]
) -> Iterator[list[Piece]]:
    after = -1 if selection.from_step is None else selection.from_step - 1
    while run_ids:
        pieces, count, last = list[Piece](), 0, (0, 0)
        with database.reading() as connection:
            cursor = _cursor(connection, _query(run_ids, after, selection))
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                pieces.append(convert(list(zip(*rows, strict=True))))
                count, last = count + len(rows), rows[-1][:2]
        if pieces:
            yield pieces
        if count < POINTS_PER_READ:
            return
        run_ids, after = run_ids[run_ids.index(last[0]) :], last[1]


def _cursor(connection: sa.Connection, query: sa.Select[Any]) -> Any:
    """The driver's own rows: SQLAlchemy's would double the time."""
    return (
        binary_cursor(connection, query)
        if connection.dialect.name == "postgresql"
        else connection.execute(query).cursor
    )


def _query(run_ids: Sequence[int], after: int, selection: PointSelection) -> sa.Select[Any]:
    table = trajectory_points.c
    query = (
        sa.select(table.run_id, table.step, *(_column(name) for name in selection.names))
        .where(table.run_id.in_(run_ids), sa.or_(table.run_id > run_ids[0], table.step > after))
        .order_by(table.run_id, table.step)
        .limit(POINTS_PER_READ)
    )
    if selection.from_step is not None:
        query = query.where(table.step >= selection.from_step)
    if selection.to_step is not None:
        query = query.where(table.step <= selection.to_step)
    return query


def _column(name: str) -> sa.ColumnElement[Any]:
    column = trajectory_points.c[name]
    return sa.cast(column, sa.Text).label(name) if TRAJECTORY_COLUMNS[name] == "vector" else column
