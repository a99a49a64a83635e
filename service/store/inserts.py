"""Inserts with an ON CONFLICT clause: of rows, by SQLAlchemy's construct for each database, and of columns."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.store.sqlite import execute_rows


def insert_into(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert with `on_conflict_do_nothing` and `on_conflict_do_update`, for the database of a connection."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def upsert_columns(connection: sa.Connection, table: sa.Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows given as columns, or change those that are there, in a single statement.

    Args:
        columns: by name, with those of the primary key; JSON as text.
    """
    others = [name for name in columns if name not in table.primary_key.columns]
    changes = ", ".join(f"{name} = excluded.{name}" for name in _quoted(others))
    _insert_columns(connection, table, columns, f"UPDATE SET {changes}")


def insert_columns(connection: sa.Connection, table: sa.Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows given as columns, except those that are there; see `upsert_columns`."""
    _insert_columns(connection, table, columns, "NOTHING")


def _insert_columns(
    connection: sa.Connection, table: sa.Table, columns: Mapping[str, Sequence[Any]], otherwise: str
) -> None:
    if not columns["run_id"]:
        return
    into = f"INSERT INTO {table.name} ({', '.join(_quoted(columns))})"
    conflict = f"ON CONFLICT ({', '.join(_quoted(table.primary_key.columns.keys()))}) DO {otherwise}"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        execute_rows(connection, f"{into} VALUES ({marks}) {conflict}", zip(*columns.values(), strict=True))
        return
    types = (table.c[name].type.compile(connection.dialect) for name in columns)
    arrays = ", ".join(f"%b::{type_}[]" for type_ in types)
    connection.exec_driver_sql(f"{into} SELECT * FROM unnest({arrays}) {conflict}", tuple(columns.values()))


def _quoted(names: Collection[str]) -> list[str]:
    return [f'"{name}"' for name in names]
