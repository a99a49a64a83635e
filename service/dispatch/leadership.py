"""Leadership: of several dispatchers one works, the others stand by; it keeps the lease while it works.

A standby measures the holder's silence with its own steady clock, from beat to beat, so no clock that is set back or
forward keeps the lease with the dead or takes it from the living. The database's clock is asked once, at the first
look, so that a dispatcher that starts long after the last one ended need not wait.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
import structlog

from service.store import dispatcher_lease as store
from service.store.database import DATABASE_AWAY, Database
from service.store.dispatcher_lease import Deposed, DispatcherLease
from service.values.ids import new_id

BEATS_PER_LEASE = 4

SHARE_OF_LEASE_TO_WRITE = 0.5
"""How long a transaction of a holder that has fallen silent may have stood open, by the time its lease is over."""

SECONDS_WITHOUT_PULSE = 300.0
"""After this long without a sign of life from the loop the heart stops, so that a standby can take over."""

_log = structlog.get_logger(__name__)


class Leadership:
    """One dispatcher's side of the lease.

    Args:
        name: kept over restarts where one process at a time has it: the lease of a process that was killed is then its
            successor's at once. A name of its own when None.
        lease_seconds: how long the holder may be silent.
        clock: steady seconds, unrelated to the time of day.
    """

    def __init__(
        self, database: Database, name: str | None, lease_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name or f"{socket.gethostname()} {os.getpid()} {new_id()[-6:]}"
        self._database, self._lease_seconds, self._clock = database, lease_seconds, clock
        self._token: int | None = None
        self._seen: DispatcherLease | None = None
        self._seen_at = clock()
        self._pulse_at = clock()

    def try_to_lead(self) -> bool:
        """Take the lease if its holder gave it back or is gone; to be called again and again, every second or so."""
        try:
            with self._database.reading() as connection:
                lease, now = store.read_lease(connection), store.database_now(connection)
        except DATABASE_AWAY:
            self._seen_at = self._clock()  # the holder could not beat either
            raise
        if not self._may_take(lease, now):
            return False
        with self._database.writing() as connection:
            store.end_silent_writers(connection, self._lease_seconds * SHARE_OF_LEASE_TO_WRITE)
            self._token = store.take_lease(connection, lease, self.name, self._lease_seconds)
        self.pulse()
        return self._token is not None

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """A transaction of the active dispatcher; raises Deposed, and changes nothing, when it no longer is that."""
        if self._token is None:
            raise Deposed("This dispatcher does not have the lease.")
        with self._database.writing() as connection:
            store.check_lease(connection, self._token)
            yield connection

    def pulse(self) -> None:
        """Sign of life of the loop."""
        self._pulse_at = self._clock()

    def beat(self) -> None:
        """Renew the lease once; raises Deposed."""
        if self._token is not None and self._clock() - self._pulse_at < SECONDS_WITHOUT_PULSE:
            with self._database.writing() as connection:
                store.beat(connection, self._token, self._lease_seconds)

    def give_back(self) -> None:
        """End the leadership; a standby takes over at once."""
        token, self._token = self._token, None
        if token is not None:
            with self._database.writing() as connection:
                store.give_back_lease(connection, token)

    @contextmanager
    def beating(self) -> Generator[None]:
        """Beat, in a thread of its own, for as long as the context lasts or until deposed; then give the lease back."""
        over = threading.Event()
        heart = threading.Thread(target=self._beat_until, args=(over,), name="heart", daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join()
            try:
                self.give_back()
            except DATABASE_AWAY:
                _log.warning("the lease could not be given back; a standby waits until it has expired")

    def _beat_until(self, over: threading.Event) -> None:
        while not over.wait(self._lease_seconds / BEATS_PER_LEASE):
            try:
                self.beat()
            except Deposed:
                return
            except DATABASE_AWAY:
                continue

    def _may_take(self, lease: DispatcherLease, now: datetime) -> bool:
        is_first_look = self._seen is None
        if lease != self._seen:
            self._seen, self._seen_at = lease, self._clock()
        if lease.holder is None or (is_first_look and (lease.holder == self.name or lease.has_expired(now))):
            return True
        return self._clock() - self._seen_at >= self._lease_seconds
