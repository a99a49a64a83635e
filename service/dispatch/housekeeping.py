"""Housekeeping beside the loop, also while workers start: what is done once, by whichever dispatcher it falls to.

Runs of a dispatcher that is gone are given back by the one that took its lease away. What has expired is removed, and
free space given back, by the eldest, in small pieces. It renews SQLite's statistics whenever runs have doubled. All
writes end with the dispatcher's lease.
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
from service.store.leases import NO_DISPATCHER, release_strays
from service.store.space import empty_log, reclaim_piece
from service.store.table_statistics import TableStatistics

SECONDS_BETWEEN_LOOKS = 1.0
SHORTEST_PAUSE_SECONDS = 0.02
PAUSE_OF_WORK = 2.0
"""Pause after a piece, relative to its time; in it other writers have their turns."""

_log = structlog.get_logger(__name__)


class Housekeeper:
    """Works through pieces while there are any; each is a short transaction."""

    def __init__(self, database: Database, membership: Membership) -> None:
        self._database, self._membership = database, membership
        self._has_freed = False
        self._statistics = TableStatistics(database)

    def do_piece(self) -> bool:
        """Remove or reclaim a piece; returns whether there may be more. Raises Deposed."""
        self._give_back_runs()
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
        self._statistics.renew(self._membership.writing)
        return False

    def _give_back_runs(self) -> None:
        """Release the runs of a dispatcher whose lease was taken away; after an error the next look tries again."""
        if not self._membership.took_over.is_set():
            return
        self._membership.took_over.clear()  # before the runs are read: it may be set again meanwhile
        try:
            with self._membership.writing() as connection:
                released = release_strays(connection, NO_DISPATCHER, [])
        except DATABASE_AWAY:
            self._membership.took_over.set()
            raise
        _log.info("the runs of a dispatcher that is gone were given back", runs=released)

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
