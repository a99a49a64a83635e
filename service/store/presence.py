"""Detection of a database file that was removed or replaced while SQLite has it open.

A deleted file stays usable for processes that have it open. Their writes are lost at their end, and SQLite reports no
error.
"""

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

_log = structlog.get_logger(__name__)


class Presence:
    """Watches the file of an engine's database; does nothing without a file (PostgreSQL, in memory)."""

    def __init__(self, engine: sa.Engine) -> None:
        name = engine.url.database or ""
        has_file = engine.dialect.name == "sqlite" and name not in ("", ":memory:") and not name.startswith("file:")
        self._path = Path(name).absolute() if has_file else None
        self._opened: tuple[int, int] | None = None
        self._is_gone = False
        if self._path is not None:
            event.listen(engine, "connect", self._remember)

    def check(self) -> None:
        """Raise OperationalError if the file was removed or replaced since it was first opened."""
        if self._path is None or self._opened is None:
            return
        is_gone = _identity(self._path) != self._opened
        if is_gone != self._is_gone:
            self._is_gone = is_gone
            self._log_change()
        if is_gone:
            raise OperationalError(None, None, sqlite3.OperationalError(f"{self._path} was removed or replaced"))

    def _remember(self, _connection: object, _record: object) -> None:
        if self._opened is None and self._path is not None:
            self._opened = _identity(self._path)

    def _log_change(self) -> None:
        if self._is_gone:
            advice = "nothing is read or written until it is back; put it back, or stop the service and start it again"
            _log.error(
                "the database file was removed or replaced while it was in use", path=str(self._path), now=advice
            )
        else:
            _log.warning("the database file is back", path=str(self._path))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
