"""Writes of points: one wide typed row per recorded step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from service.store.copy_rows import copy_blocks, in_order
from service.store.point_rows import to_values, value_rows
from service.store.postgresql import copy_in
from service.store.sqlite import execute_rows
from service.store.tables import runs, trajectory_points
from workers.results import Points
from workers.runs.metrics import TRAJECTORY_COLUMNS


def insert_points(connection: sa.Connection, run_ids: Mapping[int, int], points: Points) -> None:
    """Append points; points already stored are not changed.

    Args:
        run_ids: internal run ids by batch member; points of other members are dropped.
        points: a slice's points.
    """
    if not len(points.member):
        return
    ids = np.zeros(max((*run_ids, int(points.member.max()))) + 1, dtype=np.int64)  # 0: no run has it
    ids[list(run_ids)] = list(run_ids.values())
    of_points = ids[points.member]
    keep = of_points != 0
    if not keep.any():
        return
    chosen = points.columns if keep.all() else {name: column[keep] for name, column in points.columns.items()}
    write = _copy if connection.dialect.name == "postgresql" else _insert
    write(connection, {"run_id": of_points[keep], **chosen})


def metric_columns(points: Points, indices: npt.NDArray[np.int64]) -> dict[str, list[Any]]:
    """The metrics of the points at some indices as columns of values for a summary, vectors as JSON."""
    names = [name for name in points.columns if name not in ("step", "time")]
    return {name: to_values(points.columns[name][indices], TRAJECTORY_COLUMNS[name]) for name in names}


def delete_points(connection: sa.Connection, selected: sa.ColumnElement[bool]) -> None:
    """Remove all points of selected runs; for the sake of speed PostgreSQL has no foreign key that does it."""
    chosen = sa.select(runs.c.id).where(selected)
    connection.execute(sa.delete(trajectory_points).where(trajectory_points.c.run_id.in_(chosen)))


def _insert(connection: sa.Connection, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO trajectory_points ({_names(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    execute_rows(connection, statement, value_rows(columns))


def _copy(connection: sa.Connection, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Copy points into the table; if one is stored already, copy again and skip those that are."""
    ordered = in_order(columns)
    try:
        with connection.begin_nested():
            _copy_into(connection, "trajectory_points", ordered)
    except IntegrityError:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE incoming (LIKE trajectory_points) ON COMMIT DROP")
        _copy_into(connection, "incoming", ordered)
        connection.exec_driver_sql("INSERT INTO trajectory_points SELECT * FROM incoming ON CONFLICT DO NOTHING")
        connection.exec_driver_sql("DROP TABLE incoming")


def _copy_into(connection: sa.Connection, table: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    statement = f"COPY {table} ({_names(columns)}) FROM STDIN (FORMAT BINARY)"
    copy_in(connection, statement, copy_blocks(trajectory_points, columns))


def _names(columns: Mapping[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
