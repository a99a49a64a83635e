"""SQLite beneath SQLAlchemy: options of connections, and waiting for transactions of other processes."""

import sqlite3
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from service.metrics import STATEMENT_SECONDS
from service.values.numbers import number_in

_SHORTEST_SLEEP_SECONDS = 0.001
_LONGEST_SLEEP_SECONDS = 0.05
_SECONDS_FOR_READERS = 0.1
"""How long the emptying of the log, during which nobody writes, waits for readers."""

_SLEEP_SHARE = 1 / 8
"""Length of a sleep relative to the time waited, which keeps sleeps short after the lock is free. SQLite's handler soon
sleeps 25 ms and more, while others hold the lock for 10 ms."""


def use_sqlite(engine: sa.Engine, busy_seconds: float, checkpoint_pages: int) -> None:
    """Set up all connections of an engine: WAL, foreign keys, and transactions declared as reading or writing.

    Args:
        busy_seconds: time that a transaction waits for a lock before it fails.
        checkpoint_pages: pages of WAL at which a commit moves them into the database file and waits for the disk.
    """
    event.listen(engine, "connect", _set_up(busy_seconds, checkpoint_pages))
    event.listen(engine, "begin", _begin(busy_seconds))


def database_file(url: str) -> Path | None:
    """The file of a SQLite database; None for another database, and for one in memory."""
    parsed = sa.make_url(url)
    name = parsed.database or ""
    has_file = parsed.drivername.startswith("sqlite") and not name.startswith(("file:", ":memory:")) and name
    return Path(name) if has_file else None


def set_foreign_keys(connection: sa.Connection, on: bool) -> None:
    """Switch foreign keys on or off.

    SQLite ignores this inside a transaction. While foreign keys are off, a table under a view can be replaced.
    """
    driver = _driver_of(connection)
    driver.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")
    driver.execute(f"PRAGMA legacy_alter_table = {'OFF' if on else 'ON'}")


def check_foreign_keys(connection: sa.Connection) -> None:
    """Raise sqlite3.IntegrityError if a row refers to a missing row."""
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise sqlite3.IntegrityError(f"The change of the schema would leave rows that refer to nothing: {broken}")


def execute_rows(connection: sa.Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Run a statement for each of many rows; SQLAlchemy would keep all of them as a list."""
    with _driver_errors(statement):
        _driver_of(connection).executemany(statement, rows)


def free_pages(connection: sa.Connection, most: int) -> None:
    """Give free pages of the file back to the disk, in a transaction; the file's last pages take their places.

    SQLite frees a page at each step of this statement. The driver takes a single step of a statement without columns,
    but all steps of a script.
    """
    with _driver_errors():
        _driver_of(connection).executescript(f"PRAGMA incremental_vacuum({most})")


def truncate_log(connection: sa.Connection) -> bool:
    """Move the write-ahead log into the database file and cut it off; False if another connection is in the way."""
    driver = _driver_of(connection)
    before = driver.execute("PRAGMA busy_timeout").fetchone()[0]
    _set_busy_timeout(driver, _SECONDS_FOR_READERS)
    try:
        with _driver_errors():
            (is_busy, *_pages) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy
    finally:
        _set_busy_timeout(driver, before / 1000)


@contextmanager
def _driver_errors(statement: str | None = None) -> Generator[None]:
    """Translate the driver's errors as SQLAlchemy does for the statements that it runs itself."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error


def _set_up(busy_seconds: float, checkpoint_pages: int) -> Callable[[Any, object], None]:
    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        _set_busy_timeout(cursor, busy_seconds)
        if cursor.execute("PRAGMA page_count").fetchone()[0] == 0:  # a new file; others keep what they have (space.py)
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")  # which waits for writers where there is a file
        (mode,) = cursor.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode not in ("wal", "memory"):
            raise sqlite3.OperationalError(
                f"SQLite keeps its journal in mode {mode!r} here, not WAL; put the data directory on a local disk."
            )
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
        cursor.close()
        connection.create_function("number_in", 1, number_in, deterministic=True)  # SQLite reads '9 mm' as 9

    return set_up


def _begin(busy_seconds: float) -> Callable[[sa.Connection], None]:
    def begin(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql("BEGIN")
            return
        driver = _driver_of(connection)
        _set_busy_timeout(driver, 0)  # _begins_in_time waits instead
        try:
            if not _begins_in_time(driver, busy_seconds):
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # repeated so that SQLAlchemy translates the error
        finally:
            _set_busy_timeout(driver, busy_seconds)

    return begin


@STATEMENT_SECONDS.labels("begin").time()
def _begins_in_time(driver: sqlite3.Connection, busy_seconds: float) -> bool:
    """Begin a write once no other process writes; False after `busy_seconds` or an error other than a lock."""
    begun = time.monotonic()
    while (error := _error_of_begin(driver)) is not None:
        waited = time.monotonic() - begun
        if (
            error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited >= busy_seconds
        ):  # higher bits: the kind of lock
            return False
        time.sleep(min(max(waited * _SLEEP_SHARE, _SHORTEST_SLEEP_SECONDS), _LONGEST_SLEEP_SECONDS))
    return True


def _error_of_begin(driver: sqlite3.Connection) -> sqlite3.OperationalError | None:
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error
    return None


def _set_busy_timeout(driver: "sqlite3.Connection | sqlite3.Cursor", seconds: float) -> None:
    driver.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _driver_of(connection: sa.Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.driver_connection
    return driver
