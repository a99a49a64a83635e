"""The dispatcher's lease: its holder dispatches and beats; a process that has lost it can store nothing.

Times are read from the database's clock, which may be set back or forward at any time. Leadership therefore uses more
than this clock to decide whether a silent holder is gone, see `service.dispatch.leadership`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from service.errors import RankwardError
from service.store.tables import dispatcher_lease as table


class Deposed(RankwardError):
    """Another dispatcher has taken over"""


@dataclass(frozen=True)
class DispatcherLease:
    """The state of the lease.

    Attributes:
        holder: name of the process that has it; None after it was given back.
        token: rises by one each time the lease is taken.
    """

    holder: str | None
    token: int
    heartbeat_at: datetime | None
    expires_at: datetime | None

    def has_expired(self, now: datetime) -> bool:
        """Whether the lease has run out at `now`."""
        return self.expires_at is not None and now >= self.expires_at

    def is_alive(self, now: datetime) -> bool:
        """Whether the holder has beaten within its lease; a beat in the far future means a clock set back."""
        if self.holder is None or self.heartbeat_at is None or self.expires_at is None or self.has_expired(now):
            return False
        return self.heartbeat_at - now < self.expires_at - self.heartbeat_at


@dataclass(frozen=True)
class Heartbeat:
    """The public state of the active dispatcher.

    Attributes:
        is_alive: whether a holder has beaten within its lease.
        seconds_ago: seconds since the last beat; None without a beat.
    """

    is_alive: bool
    holder: str | None
    seconds_ago: float | None


def database_now(connection: sa.Connection) -> datetime:
    """The database's clock: the server's on PostgreSQL, this machine's on SQLite."""
    if connection.dialect.name == "postgresql":
        return connection.scalars(sa.select(sa.func.clock_timestamp())).one()
    return datetime.now(UTC)


def dispatcher_heartbeat(connection: sa.Connection) -> Heartbeat:
    """The last beat of the active dispatcher."""
    lease, now = read_lease(connection), database_now(connection)
    ago = None if lease.heartbeat_at is None else (now - lease.heartbeat_at).total_seconds()
    return Heartbeat(lease.is_alive(now), lease.holder, ago)


def read_lease(connection: sa.Connection) -> DispatcherLease:
    """The current state of the lease."""
    return DispatcherLease(**connection.execute(_LEASE).mappings().one())


def take_lease(connection: sa.Connection, seen: DispatcherLease, holder: str, seconds: float) -> int | None:
    """Take the lease unless it has changed since the state `seen`.

    Returns:
        The new token; None if a process beat, took or gave back the lease in the meantime.
    """
    connection.execute(sa.select(table.c.token).with_for_update()).all()  # waits for the end of the holder's write
    unchanged = sa.and_(table.c.token == seen.token, table.c.heartbeat_at.is_not_distinct_from(seen.heartbeat_at))
    changes = {"holder": holder, "token": seen.token + 1, **_beat(connection, seconds)}
    taken = connection.execute(sa.update(table).where(unchanged).values(changes)).rowcount
    return seen.token + 1 if taken else None


def end_silent_writers(connection: sa.Connection, seconds: float) -> None:
    """End sessions with a lock on the lease and an idle transaction older than `seconds`.

    Such a dispatcher is suspended or cut off, and its locks, above all the one on the lease, stay. PostgreSQL can end
    its session; the lock on a SQLite file ends with its process.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_END_SILENT_WRITERS, {"table": table.name, "seconds": seconds})


def beat(connection: sa.Connection, token: int, seconds: float) -> None:
    """Extend the lease to `seconds` from now; raises Deposed if another process has it."""
    held = table.c.token == token
    if not connection.execute(sa.update(table).where(held).values(_beat(connection, seconds))).rowcount:
        raise _deposed()


def give_back_lease(connection: sa.Connection, token: int) -> None:
    """Give back the lease, if it is still held, so that a standby takes over at once."""
    connection.execute(sa.update(table).where(table.c.token == token).values(holder=None))


def check_lease(connection: sa.Connection, token: int) -> None:
    """Raise Deposed unless the lease is held; until the transaction ends, beats are possible but no takeover."""
    held = sa.select(table.c.token).where(table.c.token == token).with_for_update(read=True, key_share=True)
    if connection.execute(held).first() is None:
        raise _deposed()


_END_SILENT_WRITERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = current_user AND pid <> pg_backend_pid() AND wait_event IN ('ClientRead', 'ClientWrite')"
    " AND xact_start < clock_timestamp() - make_interval(secs => :seconds)"
    " AND pid IN (SELECT pid FROM pg_locks WHERE relation = CAST(CAST(:table AS text) AS regclass) AND granted"
    " AND mode IN ('RowShareLock', 'RowExclusiveLock'))"
)
_LEASE = sa.select(table.c.holder, table.c.token, table.c.heartbeat_at, table.c.expires_at)


def _beat(connection: sa.Connection, seconds: float) -> dict[str, datetime]:
    now = database_now(connection)
    return {"heartbeat_at": now, "expires_at": now + timedelta(seconds=seconds)}


def _deposed() -> Deposed:
    return Deposed("Another dispatcher has taken over; what this one had in hand is left to it.")
