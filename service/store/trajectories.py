"""Trajectory points in the store: one wide typed row per recorded step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import sqlalchemy as sa

from service.numbers import spell_all
from service.store.tables import trajectory_points
from workers.columns import TRAJECTORY_COLUMNS, ColumnKind
from workers.records import Points


def insert_points(connection: sa.Connection, run_ids: Mapping[int, int], points: Points) -> None:
    """Store points; one whose number is already stored takes its place.

    It is the same point, but for the last one of a flow that was extended since: that one stood off the schedule, at
    the number of the next scheduled point.

    Args:
        run_ids: internal run id of each batch member whose points are to be stored.
        points: a slice's points.
    """
    keep = np.isin(points.member, list(run_ids))
    if not keep.any():
        return
    ids = [run_ids[member] for member in points.member[keep].tolist()]
    columns = [_to_sql(points.columns[name][keep], TRAJECTORY_COLUMNS[name]) for name in points.columns]
    names = ["run_id", *points.columns]
    statement = _insert_statement(names, connection.dialect)
    connection.exec_driver_sql(statement, list(zip(ids, *columns, strict=True)))


def read_points(
    connection: sa.Connection, run_id: int, names: Sequence[str], from_step: int | None, to_step: int | None
) -> dict[str, list[Any]]:
    """Columns of one run's points with from_step <= step <= to_step, by ascending step.

    Values are as stored: None where a float was not a number, vectors as lists.
    """
    query = (
        sa.select(*(trajectory_points.c[name] for name in names))
        .where(trajectory_points.c.run_id == run_id)
        .order_by(trajectory_points.c.step)
    )
    if from_step is not None:
        query = query.where(trajectory_points.c.step >= from_step)
    if to_step is not None:
        query = query.where(trajectory_points.c.step <= to_step)
    rows = connection.execute(query).all()
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return dict(zip(names, (list(column) for column in columns), strict=True))


def summary_values(points: Points, point: int) -> dict[str, Any]:
    """One point's metrics as values for the summary's columns."""
    return {
        name: spell_all(column[point].tolist())
        if column.ndim == 2
        else _to_sql(column[point : point + 1], TRAJECTORY_COLUMNS[name])[0]
        for name, column in points.columns.items()
        if name not in ("step", "time")
    }


def _insert_statement(names: Sequence[str], dialect: sa.Dialect) -> str:
    mark = "?" if dialect.name == "sqlite" else "%s"
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join([mark] * len(names))
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in ("run_id", "step"))
    insert = f"INSERT INTO trajectory_points ({columns}) VALUES ({marks})"
    return f"{insert} ON CONFLICT (run_id, step) DO UPDATE SET {changes}"


def _to_sql(column: npt.NDArray[Any], kind: ColumnKind) -> list[Any]:
    """Values as the driver takes them; a float that is not a number is stored as NULL, on every database."""
    if kind == "vector":
        return [orjson.dumps(spell_all(row)).decode() for row in column.tolist()]
    if kind == "integer":
        return [None if value != value else int(value) for value in column.tolist()]
    if np.isnan(column).any():
        return [None if value != value else value for value in column.tolist()]
    return column.tolist()
