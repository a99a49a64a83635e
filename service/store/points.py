"""Reads of points as columns: in one consistent view, or as a stream of short reads over many runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import orjson
import sqlalchemy as sa

from service.store.database import Database
from service.store.raw_rows import Columns, fetch_columns
from service.store.tables import trajectory_points
from workers.runs.metrics import TRAJECTORY_COLUMNS

POINTS_PER_READ = 2**14
RUNS_PER_READ = 1000
"""Ids per query; databases limit the parameters of a statement."""

Piece = TypeVar("Piece")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PointSelection:
    """The columns and steps to read: from_step <= step <= to_step.

    Attributes:
        names: columns beside `step`.
    """

    names: tuple[str, ...]
    from_step: int | None = None
    to_step: int | None = None


def read_points(connection: sa.Connection, columns_of: Mapping[int, Sequence[str]]) -> dict[int, dict[str, Array]]:
    """Columns of runs' points by ascending step, in the view of a connection; runs without a point are absent.

    Args:
        columns_of: columns to read, by internal run id.

    Returns:
        Arrays by run and name: (points,), for vectors (points, width). Integer columns without NULL are int64; all
        others are float64, with NaN for NULL.
    """
    wanted = dict.fromkeys(name for names in columns_of.values() for name in names if name != "step")
    selection = PointSelection(tuple(wanted))
    pieces: dict[int, list[dict[str, Array]]] = {}
    ids = list(columns_of)
    for start in range(0, len(ids), RUNS_PER_READ):
        for columns in fetch_columns(connection, _query(ids[start : start + RUNS_PER_READ], selection)):
            for run_id, part in _by_run(columns):
                named = dict(zip(("step", *selection.names), part, strict=True))
                arrays = {name: to_array(name, named[name]) for name in columns_of[run_id]}
                pieces.setdefault(run_id, []).append(arrays)
    return {run_id: _joined(parts) for run_id, parts in pieces.items()}


def stream_points(
    database: Database, run_ids: Sequence[int], selection: PointSelection, convert: Callable[[Columns], Piece]
) -> Iterator[list[Piece]]:
    """Points by ascending internal run id and step, in reads of POINTS_PER_READ without a connection in between.

    Args:
        run_ids: internal ids, ascending.
        convert: called with columns of some points (internal run id, `step`, then the selection's) while a connection
            is held.
    """
    for start in range(0, len(run_ids), RUNS_PER_READ):
        yield from _stream(database, run_ids[start : start + RUNS_PER_READ], selection, convert)


def to_array(name: str, values: Sequence[Any]) -> Array:
    """A trajectory column from the driver's values, of the form that `read_points` returns."""
    kind = TRAJECTORY_COLUMNS[name]
    if kind == "vector":
        texts = ("null" if text is None else text for text in values)
        return np.array(
            orjson.loads(f"[{','.join(texts)}]"), dtype=float
        )  # numpy also reads non-finite numbers spelled as texts
    return np.array(values, dtype=np.int64 if kind == "integer" and None not in values else float)


def _stream(
    database: Database, run_ids: Sequence[int], selection: PointSelection, convert: Callable[[Columns], Piece]
) -> Iterator[list[Piece]]:
    after = -1 if selection.from_step is None else selection.from_step - 1
    while run_ids:
        pieces, count, last = list[Piece](), 0, (0, 0)
        query = _query(run_ids, selection).limit(POINTS_PER_READ)
        points = trajectory_points.c
        with database.reading() as connection:
            rest = query.where(sa.or_(points.run_id > run_ids[0], points.step > after))
            for columns in fetch_columns(connection, rest):
                pieces.append(convert(columns))
                count, last = count + len(columns[0]), (columns[0][-1], columns[1][-1])
        if pieces:
            yield pieces
        if count < POINTS_PER_READ:
            return
        run_ids, after = run_ids[run_ids.index(last[0]) :], last[1]


def _query(run_ids: Sequence[int], selection: PointSelection) -> sa.Select[Any]:
    points = trajectory_points.c
    query = (
        sa.select(points.run_id, points.step, *(_column(name) for name in selection.names))
        .where(points.run_id.in_(run_ids))
        .order_by(points.run_id, points.step)
    )
    if selection.from_step is not None:
        query = query.where(points.step >= selection.from_step)
    if selection.to_step is not None:
        query = query.where(points.step <= selection.to_step)
    return query


def _column(name: str) -> sa.ColumnElement[Any]:
    column = trajectory_points.c[name]
    return sa.cast(column, sa.Text).label(name) if TRAJECTORY_COLUMNS[name] == "vector" else column


def _by_run(columns: Columns) -> Iterator[tuple[int, Columns]]:
    """Run ids, each with `step` and the selection's columns of its points."""
    ids = np.array(columns[0])
    starts = [0, *(np.flatnonzero(np.diff(ids)) + 1).tolist(), len(ids)]
    for start, end in pairwise(starts):
        yield int(ids[start]), [column[start:end] for column in columns[1:]]


def _joined(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
