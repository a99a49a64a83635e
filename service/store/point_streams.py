"""Points of many runs as a stream of short reads, without a connection in between."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa

from service.store.database import Database
from service.store.points import RUNS_PER_READ, PointSelection, point_query
from service.store.raw_rows import Columns, Numbers, fetch_columns, fetch_numbers
from service.store.tables import trajectory_points

POINTS_PER_READ = 2**14
FIRST_RUNS = 100
"""Runs of the first read, before it is known how many points they have."""

MORE_RUNS = 1.25
"""Ratio of the runs that a read names to those whose points it is expected to hold. Given many more, PostgreSQL expects
to be faster by reading and sorting the points of them all."""

Piece = TypeVar("Piece")
Fetched = TypeVar("Fetched", Columns, Numbers)


def stream_points(
    database: Database, run_ids: Sequence[int], selection: PointSelection, convert: Callable[[Columns], Piece]
) -> Iterator[list[Piece]]:
    """Points by ascending internal run id and step, in reads of at most POINTS_PER_READ.

    Args:
        run_ids: internal ids, ascending.
        convert: called with columns of some points (internal run id, `step`, then the selection's) while a connection
            is held.
    """
    yield from _stream(database, run_ids, selection, fetch_columns, convert)


def stream_numbers(database: Database, run_ids: Sequence[int], selection: PointSelection) -> Iterator[Numbers]:
    """Points as `stream_points` reads them, as arrays (columns, points): internal run id, `step`, then the selection's.

    No column is a vector; NaN stands for NULL.
    """
    for pieces in _stream(database, run_ids, selection, fetch_numbers, lambda numbers: numbers):
        yield np.concatenate(pieces, axis=1)


def _stream(
    database: Database,
    run_ids: Sequence[int],
    selection: PointSelection,
    fetch: Callable[[sa.Connection, sa.Select[Any]], Iterator[Fetched]],
    convert: Callable[[Fetched], Piece],
) -> Iterator[list[Piece]]:
    before = -1 if selection.from_step is None else selection.from_step - 1
    points, after, at_once = trajectory_points.c, before, FIRST_RUNS
    while run_ids:
        pieces, count, last, chosen = list[Piece](), 0, (0, 0), run_ids[:at_once]
        with database.reading() as connection:
            query = point_query(connection, chosen, selection).limit(POINTS_PER_READ)
            for columns in fetch(connection, query.where(sa.or_(points.run_id > chosen[0], points.step > after))):
                pieces.append(convert(columns))
                count, last = count + len(columns[0]), (int(columns[0][-1]), int(columns[1][-1]))
        if pieces:
            yield pieces
        is_cut = count == POINTS_PER_READ
        complete = chosen.index(last[0]) if is_cut else len(chosen)
        run_ids, after = run_ids[complete:], last[1] if is_cut else before
        at_once = _enough_runs(complete, count)


def _enough_runs(runs: int, points: int) -> int:
    """How many runs have the points of a read, by those that had so many."""
    return min(RUNS_PER_READ, ceil(MORE_RUNS * POINTS_PER_READ * max(runs, 1) / max(points, 1)))
