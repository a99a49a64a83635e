"""The database: connections for reading, for writing and for changes of the schema."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.metrics import time_statements
from service.store.postgresql import connect_args, wait_for_locks
from service.store.presence import Presence
from service.store.shared_writes import Answer, SharedWrites
from service.store.sqlite import check_foreign_keys, free_pages, set_foreign_keys, truncate_log, use_sqlite
from service.store.turns import Turns
from service.values.pools import Pool

DATABASE_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)
"""Errors of a database that is locked, full, read-only or gone; a later try may succeed."""

_POOL = Pool()
_SCHEMA_CHANGE = 0x52616E6B
"""Key of the advisory lock on PostgreSQL under which the schema is changed."""


class Database:
    """An engine with the settings that the store relies on.

    SQLite uses WAL, and writers queue instead of failing. PostgreSQL connections are tested before use, so that a
    restart of the server goes unnoticed.

    Args:
        url: in SQLAlchemy's form; `postgresql://` stands for psycopg.
        busy_seconds: time that a statement waits for a lock before it fails.
        checkpoint_pages: see `use_sqlite`; by default SQLite's default.
        pool: of connections to PostgreSQL.

    Attributes:
        one_writes_at_a_time: whether writers take turns, as on SQLite.
    """

    def __init__(self, url: str, busy_seconds: float = 30.0, checkpoint_pages: int = 1000, pool: Pool = _POOL) -> None:
        self.url = driver_url(url)
        json = {"json_serializer": _to_json, "json_deserializer": orjson.loads}
        if self.url.startswith("sqlite"):
            self._engine = sa.create_engine(self.url, **json)
            use_sqlite(self._engine, busy_seconds, checkpoint_pages)
            self._reading_engine = self._engine
        else:
            sizes = {"pool_size": pool.size, "max_overflow": pool.overflow}
            arguments = connect_args(self.url, busy_seconds, pool)
            self._engine = sa.create_engine(self.url, pool_pre_ping=True, connect_args=arguments, **sizes, **json)
            if pool.is_shared:
                wait_for_locks(self._engine, busy_seconds)
            self._reading_engine = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        time_statements(self._engine)
        self._presence = Presence(self._engine)
        self._writing_engine = self._engine.execution_options(writes=True)
        self.one_writes_at_a_time = self.url.startswith("sqlite")
        self._turns = Turns(busy_seconds) if self.one_writes_at_a_time else nullcontext()
        self._shared_writes = SharedWrites(self.writing, DATABASE_AWAY)

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """A read-only transaction with one consistent view."""
        self._presence.check()
        with self._reading_engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """A writing transaction: committed at the end, rolled back on an exception."""
        with self._turns:
            self._presence.check()
            with self._writing_engine.begin() as connection:
                yield connection
                self._presence.check()  # a write to a removed file must not count as stored

    def write(self, act: Callable[[sa.Connection], Answer], small: bool = False) -> Answer:
        """Call `act` in a transaction, and return or raise its result after the commit.

        On SQLite, which has one writer at a time, small acts of several threads share a transaction. An act may then be
        called again after a rollback. On PostgreSQL shared transactions would lock rows in an arbitrary order.
        """
        if small and self.one_writes_at_a_time:
            return self._shared_writes.write(act)
        with self.writing() as connection:
            return act(connection)

    def free_pages(self, most: int) -> None:
        """Give free pages of a SQLite file back to the disk."""
        with self._turns, self._engine.connect() as connection:
            self._presence.check()
            free_pages(connection, most)

    def empty_log(self) -> bool:
        """Move SQLite's write-ahead log into the database file, and cut it off; False if a reader still needs it."""
        with self._turns, self._engine.connect() as connection:
            return truncate_log(connection)

    @contextmanager
    def migrating(self) -> Generator[sa.Connection]:
        """A transaction that may change the schema, one at a time.

        SQLite makes some changes only by copying and dropping a table, which would delete the rows that refer to it.
        Foreign keys are therefore off in the meantime, and checked at the end.
        """
        with self._writing_engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                set_foreign_keys(connection, on=False)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_CHANGE)))
                yield connection
                if connection.dialect.name == "sqlite":
                    check_foreign_keys(connection)
            if connection.dialect.name == "sqlite":
                set_foreign_keys(connection, on=True)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def describe(error: Exception) -> str:
    """An error on one line, without the failed statement."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else ''}"


def driver_url(url: str) -> str:
    """A database URL for SQLAlchemy; `postgresql://` and `postgres://` become psycopg's scheme."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme in ("postgres", "postgresql") else url


def shown_url(url: str) -> str:
    """A database URL without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
