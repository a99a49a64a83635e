"""Space that deleted rows leave behind: SQLite's file gives it back in small pieces; PostgreSQL's autovacuum reuses it.

A database file that was made before files could shrink is rewritten once: at a start if it is small and the disk has
room, else by `rankward compact`.
"""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog

from service.errors import RankwardError
from service.store.database import Database

PAGES_AT_ONCE = 500
"""Free pages (2 MB) that one transaction gives back, in about 10 ms."""

MOST_PAGES_LEFT = 256
"""Free pages that stay, for the next rows."""

MOST_BYTES_AT_START = 512 * 2**20
"""Largest file that a start rewrites, in a few seconds."""

ROOM_TO_REWRITE = 2.2
"""Free space for a rewriting, relative to the file: the new content is written beside it, then into it."""

_INCREMENTAL = 2

_log = structlog.get_logger(__name__)


class CannotCompact(RankwardError):
    """The database file cannot be rewritten"""


@dataclass(frozen=True)
class Compaction:
    """Bytes of a database file before and after it was rewritten."""

    before: int
    after: int


def reclaim_piece(database: Database) -> bool:
    """Give a piece of SQLite's free space back to the disk; returns whether there is more."""
    if not database.one_writes_at_a_time:
        return False
    with database.reading() as connection:
        free, can_shrink = _pragma(connection, "freelist_count"), _pragma(connection, "auto_vacuum") == _INCREMENTAL
    if free <= MOST_PAGES_LEFT or not can_shrink:
        return False
    database.free_pages(PAGES_AT_ONCE)
    return free - PAGES_AT_ONCE > MOST_PAGES_LEFT


def empty_log(database: Database) -> bool:
    """Move SQLite's write-ahead log into the file, which shrinks thereby, and cut it off; False if it is in use."""
    return not database.one_writes_at_a_time or database.empty_log()


def make_shrinkable(url: str) -> None:
    """Rewrite an older SQLite file, called while no other process uses it, or say in the log how to do it."""
    path = _file_of(url)
    if path is None or _shrinks(path):
        return
    size, room = path.stat().st_size, shutil.disk_usage(path.parent).free
    if size <= MOST_BYTES_AT_START and room >= ROOM_TO_REWRITE * size:
        try:
            compact(url)
            return
        except CannotCompact as error:
            _log.warning("the database file could not be rewritten", detail=error.detail)
    _log.warning("the database file does not shrink after deletions; run `rankward compact` once", bytes=size)


def compact(url: str) -> Compaction:
    """Rewrite a SQLite file without its free space, so that it shrinks by itself from then on.

    Raises:
        CannotCompact: there is no such file, the disk lacks room, or another process uses the database.
    """
    path = _file_of(url)
    if path is None:
        raise CannotCompact("Only a database in a SQLite file is compacted; PostgreSQL vacuums itself.")
    before, room = path.stat().st_size, shutil.disk_usage(path.parent).free
    if room < ROOM_TO_REWRITE * before:
        need = ROOM_TO_REWRITE * before / 2**20
        raise CannotCompact(f"The disk of {path} has {room / 2**20:,.0f} MB left; {need:,.0f} MB are needed meanwhile.")
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
            connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        raise CannotCompact(f"{path}: {error}; stop the service first.") from error
    return Compaction(before, path.stat().st_size)


def _shrinks(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL


def _file_of(url: str) -> Path | None:
    """The file of a database, None where there is none."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    path = Path(parsed.database)
    return path if path.is_file() else None


def _pragma(connection: sa.Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
