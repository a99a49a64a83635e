"""Membership: a dispatcher's side of its lease, by which it is one of those at work, and its eye on the others.

On PostgreSQL any number of dispatchers work at once, under names of their own. On SQLite one works and the others stand
by, because the file has one writer at a time. Whoever is silent for the length of a lease loses it to the others.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
import structlog

from service.dispatch.watch import Watch
from service.store import dispatchers as store
from service.store.database import DATABASE_AWAY, Database
from service.store.dispatchers import Deposed, Lease, Needs
from service.values.ids import new_id

BEATS_PER_LEASE = 8
"""Beats, and looks at the others, in the length of a lease: one that dies is replaced within 1.4 lengths."""

SHARE_OF_LEASE_TO_WRITE = 0.5
"""Longest age, at the end of the lease, of an open transaction of a silent dispatcher; a share of the lease."""

SECONDS_WITHOUT_PULSE = 300.0
"""Time without a pulse of the loop after which the heart stops, so that the others can take over."""

_log = structlog.get_logger(__name__)


class Membership:
    """One dispatcher's membership.

    Args:
        name: a name that is kept over restarts and used by one process at a time. The successor of a killed process
            then takes its lease away at once. None: a new name for this process.
        lease_seconds: longest permitted silence.
        cluster: address of the scheduler whose workers it uses; None where it has workers of its own.
        clock: steady seconds, unrelated to the time of day.

    Attributes:
        others: leases of the other dispatchers, as last seen.
        took_over: set when another dispatcher's lease was taken away, until its runs are given back.
    """

    def __init__(
        self,
        database: Database,
        name: str | None,
        lease_seconds: float,
        cluster: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name or f"{socket.gethostname()} {os.getpid()} {new_id()[-6:]}"
        self.others: Sequence[Lease] = ()
        self.took_over = threading.Event()
        self.seconds_between_looks = min(1.0, lease_seconds / BEATS_PER_LEASE)
        self._database, self._lease_seconds, self._cluster, self._clock = database, lease_seconds, cluster, clock
        self._watch = Watch(lease_seconds, clock)
        self._token: int | None = None
        self._needs = Needs()
        self._has_looked = False
        self._pulse_at = clock()

    @property
    def token(self) -> int:
        """The token of this dispatcher's writes; raises Deposed without a lease."""
        if self._token is None:
            raise Deposed("This dispatcher has no lease.")
        return self._token

    @property
    def is_eldest(self) -> bool:
        """Whether no dispatcher has been at work for longer; it does what needs to be done once."""
        return self._token is not None and all(other.id > self._token for other in self.others)

    def part_of(self, workers: int) -> int:
        """How many of a cluster's workers this dispatcher feeds; the others of the same cluster feed the rest."""
        if self._cluster is None:
            return workers
        sharing = [other.id for other in self.others if other.cluster == self._cluster]
        elder = sum(other < self.token for other in sharing)
        each, rest = divmod(workers, len(sharing) + 1)
        return each + (elder < rest)

    def try_to_join(self) -> bool:
        """Get a lease, unless one that is in the way may still be alive; callers repeat this until it is True."""
        is_first_look, self._has_looked = not self._has_looked, True
        try:
            with self._database.reading() as connection:
                leases, now = store.read_leases(connection), store.database_now(connection)
        except DATABASE_AWAY:
            self._watch.begin_anew()  # no dispatcher could beat either
            raise
        self._watch.look(leases)
        in_the_way = [lease for lease in leases if self._database.one_writes_at_a_time or lease.name == self.name]
        if not all(self._watch.is_gone(lease) or (is_first_look and self._is_past(lease, now)) for lease in in_the_way):
            return False
        self._token = self._join(in_the_way)
        self.pulse()
        return self._token is not None

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """A transaction of a dispatcher at work; raises Deposed, without a change, if it was taken for dead."""
        token = self.token
        with self._database.writing() as connection:
            store.check_lease(connection, token)
            yield connection

    def pulse(self) -> None:
        """Record a sign of life of the loop."""
        self._pulse_at = self._clock()

    def tell(self, needs: Needs) -> None:
        """Tell the others what this dispatcher needs; without others, or news, nothing is written."""
        news, self._needs = needs != self._needs, needs
        if news and self.others:
            with self.writing() as connection:
                store.beat(connection, self.token, needs, self._lease_seconds)

    def needs_of_others(self, connection: sa.Connection) -> Needs:
        """What the other dispatchers need, all together, as they have told; without others nothing is read."""
        leases = store.read_leases(connection) if self.others else []
        needs = [lease.needs for lease in leases if lease.id != self.token]
        return Needs(sum(need.idle_workers for need in needs), sum(need.suspects for need in needs))

    def beat(self) -> None:
        """Renew the lease once, and look at the others; raises Deposed."""
        if self._token is None or self._clock() - self._pulse_at >= SECONDS_WITHOUT_PULSE:
            return
        try:
            with self.writing() as connection:
                store.beat(connection, self.token, self._needs, self._lease_seconds)
                leases = store.read_leases(connection)
        except DATABASE_AWAY:
            self._watch.begin_anew()  # the others could not beat either
            raise
        self.others = [lease for lease in leases if lease.id != self.token]
        self._watch.look(self.others)
        for other in filter(self._watch.is_gone, self.others):
            self._take_over(other)

    def leave(self) -> None:
        """Give the lease back; the others take over at once."""
        token, self._token = self._token, None
        self.others = ()
        if token is not None:
            with self._database.writing() as connection:
                store.give_back(connection, token)

    def _is_past(self, lease: Lease, now: datetime) -> bool:
        return lease.name == self.name or lease.has_expired(now)

    def _join(self, in_the_way: Sequence[Lease]) -> int | None:
        with self._database.writing() as connection:
            for lease in in_the_way:
                store.end_silent_writers(connection, lease.id, self._lease_seconds * SHARE_OF_LEASE_TO_WRITE)
                if not store.take_away(connection, lease):
                    return None
            if self._database.one_writes_at_a_time and store.read_leases(connection):
                return None
            return store.add_lease(connection, self.name, self._cluster, self._lease_seconds)

    def _take_over(self, other: Lease) -> None:
        with self.writing() as connection:
            store.end_silent_writers(connection, other.id, self._lease_seconds * SHARE_OF_LEASE_TO_WRITE)
            if store.take_away(connection, other):
                _log.warning("a dispatcher is gone, the others take over", gone=other.name)
                self.took_over.set()
