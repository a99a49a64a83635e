"""Reads of points as columns, in one consistent view."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import sqlalchemy as sa

from service.store.among import among
from service.store.raw_rows import Columns, fetch_columns
from service.store.tables import trajectory_points
from workers.runs.metrics import TRAJECTORY_COLUMNS

RUNS_PER_READ = 1000
"""Ids per query; databases limit the parameters of a statement."""

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
        for columns in fetch_columns(
            connection, point_query(connection, ids[start : start + RUNS_PER_READ], selection)
        ):
            for run_id, part in _by_run(columns):
                named = dict(zip(("step", *selection.names), part, strict=True))
                arrays = {name: to_array(name, named[name]) for name in columns_of[run_id]}
                pieces.setdefault(run_id, []).append(arrays)
    return {run_id: _joined(parts) for run_id, parts in pieces.items()}


def point_query(connection: sa.Connection, run_ids: Sequence[int], selection: PointSelection) -> sa.Select[Any]:
    """The selected points of runs, by ascending internal run id and step: both, then the selection's columns."""
    points = trajectory_points.c
    query = (
        sa.select(points.run_id, points.step, *(_column(name) for name in selection.names))
        .where(among(connection, points.run_id, run_ids))
        .order_by(points.run_id, points.step)
    )
    if selection.from_step is not None:
        query = query.where(points.step >= selection.from_step)
    if selection.to_step is not None:
        query = query.where(points.step <= selection.to_step)
    return query


def to_array(name: str, values: Sequence[Any]) -> Array:
    """A trajectory column from the driver's values, of the form that `read_points` returns."""
    kind = TRAJECTORY_COLUMNS[name]
    if kind == "vector":
        texts = ("null" if text is None else text for text in values)
        return np.array(
            orjson.loads(f"[{','.join(texts)}]"), dtype=float
        )  # numpy also reads non-finite numbers spelled as texts
    return np.array(values, dtype=np.int64 if kind == "integer" and None not in values else float)


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
