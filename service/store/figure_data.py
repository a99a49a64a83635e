"""What figures read: specs, summaries and points of an experiment's runs, and whether they have changed."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.store.tables import runs, summaries, trajectory_points
from workers.runs.metrics import TRAJECTORY_COLUMNS

Row = Mapping[Any, Any]
Array = npt.NDArray[Any]
_OWN = ("id", "public_id", "index", "status", "outcome", "step", "observed", "spec")
_RUNS_AT_ONCE = 500
"""Ids in one query: databases limit a statement's parameters."""


def read_specs(connection: sa.Connection, experiment_id: int) -> Sequence[Row]:
    """All runs of an experiment by index, their spec and where they stand; `has_points`: whether any is recorded."""
    query = (
        sa.select(*(runs.c[name] for name in _OWN), summaries.c.run_id.is_not(None).label("has_points"))
        .outerjoin(summaries, summaries.c.run_id == runs.c.id)
        .where(runs.c.experiment_id == experiment_id)
        .order_by(runs.c.index)
    )
    return connection.execute(query).mappings().all()


def read_summaries(connection: sa.Connection, experiment_id: int, names: Sequence[str]) -> dict[int, Row]:
    """Columns of the summaries of an experiment's runs, by internal run id."""
    query = (
        sa.select(summaries.c.run_id, *(summaries.c[name] for name in names))
        .join(runs, runs.c.id == summaries.c.run_id)
        .where(runs.c.experiment_id == experiment_id)
    )
    return {row["run_id"]: row for row in connection.execute(query).mappings()}


def read_points_of(connection: sa.Connection, columns_of: Mapping[int, Sequence[str]]) -> dict[int, dict[str, Array]]:
    """Columns of many runs' points, by ascending step; runs without a point are absent.

    Args:
        columns_of: for each internal run id, the columns to read.

    Returns:
        Arrays (points,) of float64 by run and name, (points, width) of vectors; NaN where not a number.
    """
    names = list(dict.fromkeys(name for own in columns_of.values() for name in own))
    found: dict[int, dict[str, Array]] = {}
    ids = list(columns_of)
    for first in range(0, len(ids), _RUNS_AT_ONCE):
        query = (
            sa.select(trajectory_points.c.run_id, *(trajectory_points.c[name] for name in names))
            .where(trajectory_points.c.run_id.in_(ids[first : first + _RUNS_AT_ONCE]))
            .order_by(trajectory_points.c.run_id, trajectory_points.c.step)
        )
        for run_id, rows in groupby(connection.execute(query), key=itemgetter(0)):
            columns = dict(zip(names, list(zip(*rows, strict=True))[1:], strict=True))
            found[run_id] = {name: _as_array(name, columns[name]) for name in columns_of[run_id]}
    return found


def last_change(connection: sa.Connection, experiment_id: int) -> str:
    """A text that is another one whenever a run of the experiment has recorded, ended, or been asked for more."""
    query = sa.select(
        sa.func.count(),
        sa.func.sum(runs.c.step),
        sa.func.sum(runs.c.compute_seconds),
        sa.func.count(runs.c.finished_at),
        sa.func.max(runs.c.finished_at),
        sa.func.count(runs.c.outcome),
        sa.func.count(runs.c.started_at),
    ).where(runs.c.experiment_id == experiment_id)
    return repr(tuple(connection.execute(query).one()))


def _as_array(name: str, column: Sequence[Any]) -> Array:
    """A stored column as numbers: None is NaN, vectors are stored with non-finite numbers spelled out."""
    if TRAJECTORY_COLUMNS[name] == "integer" and None not in column:
        return np.array(column, dtype=np.int64)
    return np.array(column, dtype=float)
