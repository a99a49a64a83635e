"""The database: connections, and the two ways to use one (to read, to write)."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import event

from service.metrics import time_statements

BUSY_SECONDS = 30


class Database:
    """An engine with the settings that the store relies on. SQLite: WAL, and writers that queue instead of failing."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url, json_serializer=_to_json, json_deserializer=orjson.loads)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _configure_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        time_statements(self._engine)
        self._writing_engine = self._engine.execution_options(writes=True)

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """One consistent view; anything written is rolled back."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """One transaction: committed at the end, rolled back on an exception."""
        with self._writing_engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    (mode,) = cursor.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode not in ("wal", "memory"):
        raise sqlite3.OperationalError(
            f"SQLite keeps its journal in mode {mode!r} here instead of WAL; put the data directory on a local disk."
        )
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
