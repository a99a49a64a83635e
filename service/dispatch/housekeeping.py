"""Housekeeping: removes what has expired, and gives free space back, in small pieces.

Of several dispatchers the eldest does it, in writes that end with its lease.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog

from service.dispatch.membership import Membership
from service.store.database import DATABASE_AWAY, Database, describe
from service.store.dispatchers import Deposed
from service.store.expiry import has_expired, remove_piece
from service.store.space import empty_log, reclaim_piece

SECONDS_BETWEEN_LOOKS = 2.0
SHORTEST_PAUSE_SECONDS = 0.02
PAUSE_OF_WORK = 2.0
"""Pause after a piece, relative to its time; in it other writers have their turns."""

_log = structlog.get_logger(__name__)


class Housekeeper:
    """Works through pieces while there are any; each is a short transaction."""

    def __init__(self, database: Database, membership: Membership) -> None:
        self._database, self._membership = database, membership
        self._has_freed = False

    def do_piece(self) -> bool:
        """Remove or reclaim a piece; returns whether there may be more. Raises Deposed."""
        if not self._membership.is_eldest:
            return False
        with self._database.reading() as connection:
            expired = has_expired(connection, datetime.now(UTC))
        if expired:
            with self._membership.writing() as connection:
                remove_piece(connection, datetime.now(UTC))
            self._has_freed = True
            return True
        if reclaim_piece(self._database):
            self._has_freed = True
            return True
        if self._has_freed:
            self._has_freed = not empty_log(self._database)
        return False

    def work_until(self, over: threading.Event) -> None:
        """Look for pieces until an event is set."""
        pause = 0.0
        while not over.wait(pause):
            begun = time.monotonic()
            try:
                more = self.do_piece()
            except Deposed:
                return
            except DATABASE_AWAY as error:
                _log.warning("housekeeping waits for the database", error=describe(error))
                more = False
            worked = time.monotonic() - begun
            pause = max(SHORTEST_PAUSE_SECONDS, PAUSE_OF_WORK * worked) if more else SECONDS_BETWEEN_LOOKS


@contextmanager
def keeping_house(database: Database, membership: Membership) -> Generator[None]:
    """Keep house in a separate thread until the context ends."""
    over = threading.Event()
    work = Housekeeper(database, membership).work_until
    keeper = threading.Thread(target=work, args=(over,), name="housekeeping", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
