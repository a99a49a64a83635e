"""Leadership: one dispatcher holds the lease and works, all others stand by.

A standby measures the holder's silence with its own steady clock, from beat to beat. A clock set back or forward
therefore neither keeps the lease with a dead holder nor takes it from a living one. The database's clock is read once,
at the first look, so that a dispatcher started long after the last one ended need not wait.
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
"""Longest age, at the end of the lease, of an open transaction of a silent holder; a share of the lease."""

SECONDS_WITHOUT_PULSE = 300.0
"""Time without a pulse of the loop after which the heart stops, so that a standby can take over."""

_log = structlog.get_logger(__name__)


class Leadership:
    """One dispatcher's side of the lease.

    Args:
        name: a name that is kept over restarts and used by one process at a time. The successor of a killed process
            then takes the lease at once. None: a new name for this process.
        lease_seconds: longest permitted silence of the holder.
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
        """Take the lease if its holder gave it back or is gone; callers repeat this about every second."""
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
        """A transaction of the active dispatcher; raises Deposed, without a change, if another one has taken over."""
        if self._token is None:
            raise Deposed("This dispatcher does not have the lease.")
        with self._database.writing() as connection:
            store.check_lease(connection, self._token)
            yield connection

    def pulse(self) -> None:
        """Record a sign of life of the loop."""
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
        """Beat in a separate thread until the context ends or the dispatcher is deposed; then give the lease back."""
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
