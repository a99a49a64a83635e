"""Writes of points: one wide typed row per recorded step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from service.store.point_rows import COPY_NULL, copy_lines, to_values, value_rows
from service.store.postgresql import driver_errors
from service.store.tables import runs, trajectory_points
from service.values.numbers import spell_all
from workers.records import Points
from workers.runs.metrics import TRAJECTORY_COLUMNS, ColumnKind


def insert_points(connection: sa.Connection, run_ids: Mapping[int, int], points: Points) -> None:
    """Append points; points already stored are not changed.

    Args:
        run_ids: internal run ids by batch member; points of other members are dropped.
        points: a slice's points.
    """
    keep = np.isin(points.member, list(run_ids))
    if not keep.any():
        return
    ids = np.zeros(max(run_ids) + 1, dtype=np.int64)
    ids[list(run_ids)] = list(run_ids.values())
    columns = {name: column[keep] for name, column in points.columns.items()}
    write = _copy if connection.dialect.name == "postgresql" else _insert
    write(connection, ids[points.member[keep]], columns)


def summary_rows(points: Points, indices: Sequence[int]) -> list[dict[str, Any]]:
    """Metrics of the points at some indices as rows of values for the summary's columns."""
    chosen = {name: column[list(indices)] for name, column in points.columns.items() if name not in ("step", "time")}
    columns = [_summary_values(column, TRAJECTORY_COLUMNS[name]) for name, column in chosen.items()]
    return [dict(zip(chosen, row, strict=True)) for row in zip(*columns, strict=True)]


def _summary_values(column: npt.NDArray[Any], kind: ColumnKind) -> list[Any]:
    return [spell_all(row) for row in column.tolist()] if kind == "vector" else to_values(column, kind)


def delete_points(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> None:
    """Remove all points of selected runs; for the sake of speed PostgreSQL has no foreign key that does it."""
    chosen = sa.select(runs.c.id).where(selected)
    connection.execute(sa.delete(trajectory_points).where(trajectory_points.c.run_id.in_(chosen)))


def _insert(connection: sa.Connection, ids: npt.NDArray[np.int64], columns: Mapping[str, npt.NDArray[Any]]) -> None:
    marks = ", ".join("?" * (len(columns) + 1))
    statement = f"INSERT INTO trajectory_points ({_names(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    connection.exec_driver_sql(statement, list(value_rows(ids, columns)))


def _copy(connection: sa.Connection, ids: npt.NDArray[np.int64], columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Copy points into the table; if one is stored already, copy again and skip those that are."""
    try:
        with connection.begin_nested():
            _copy_into(connection, "trajectory_points", ids, columns)
    except IntegrityError:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE incoming (LIKE trajectory_points) ON COMMIT DROP")
        _copy_into(connection, "incoming", ids, columns)
        connection.exec_driver_sql("INSERT INTO trajectory_points SELECT * FROM incoming ON CONFLICT DO NOTHING")
        connection.exec_driver_sql("DROP TABLE incoming")


def _copy_into(connection: sa.Connection, table: str, ids: npt.NDArray[np.int64], columns: Mapping[str, Any]) -> None:
    statement = f"COPY {table} ({_names(columns)}) FROM STDIN (NULL '{COPY_NULL}')"
    driver: Any = connection.connection.driver_connection
    with driver_errors(connection, statement), driver.cursor() as cursor, cursor.copy(statement) as copy:
        for lines in copy_lines(ids, columns):
            copy.write(lines)


def _names(columns: Mapping[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in ("run_id", *columns))
