"""The dispatcher's lease: which process dispatches. Who has it beats; who lost it can store nothing any more.

Moments are the database's own clock. Whether a silent holder is gone is not decided here by that clock alone, which
may be set back or forward at any time: see `service.dispatch.leadership`.
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
    """The lease as it stands.

    Attributes:
        holder: name of the process that has it; None when the last one gave it back.
        token: goes up by one whenever somebody takes the lease.
    """

    holder: str | None
    token: int
    heartbeat_at: datetime | None
    expires_at: datetime | None

    def has_expired(self, now: datetime) -> bool:
        """Whether its holder should have beaten by now."""
        return self.expires_at is not None and now >= self.expires_at

    def is_alive(self, now: datetime) -> bool:
        """Whether its holder has beaten of late; a beat from the far future says that the clock was set back since."""
        if self.holder is None or self.heartbeat_at is None or self.expires_at is None or self.has_expired(now):
            return False
        return self.heartbeat_at - now < self.expires_at - self.heartbeat_at


@dataclass(frozen=True)
class Heartbeat:
    """What others may know of the active dispatcher.

    Attributes:
        is_alive: whether there is one that has beaten within its lease.
        seconds_ago: how long ago the last beat was; None when there was none.
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
    """When the active dispatcher last beat."""
    lease, now = read_lease(connection), database_now(connection)
    ago = None if lease.heartbeat_at is None else (now - lease.heartbeat_at).total_seconds()
    return Heartbeat(lease.is_alive(now), lease.holder, ago)


def read_lease(connection: sa.Connection) -> DispatcherLease:
    """Who has the lease."""
    return DispatcherLease(**connection.execute(_LEASE).mappings().one())


def take_lease(connection: sa.Connection, seen: DispatcherLease, holder: str, seconds: float) -> int | None:
    """Take the lease unless it has changed since it was `seen`.

    Returns:
        The new token; None when somebody beat, took it or gave it back meanwhile.
    """
    connection.execute(sa.select(table.c.token).with_for_update()).all()  # waits for the holder's write to end
    unchanged = sa.and_(table.c.token == seen.token, table.c.heartbeat_at.is_not_distinct_from(seen.heartbeat_at))
    changes = {"holder": holder, "token": seen.token + 1, **_beat(connection, seconds)}
    taken = connection.execute(sa.update(table).where(unchanged).values(changes)).rowcount
    return seen.token + 1 if taken else None


def end_silent_writers(connection: sa.Connection, seconds: float) -> None:
    """End the sessions that hold the lease in a transaction older than `seconds` while the server waits for them.

    Such a dispatcher stands still or is cut off, and with it stand its locks, on the lease above all. PostgreSQL can
    end them; the lock on a SQLite file ends with the process that has it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_END_SILENT_WRITERS, {"table": table.name, "seconds": seconds})


def beat(connection: sa.Connection, token: int, seconds: float) -> None:
    """Keep the lease for `seconds` more; raises Deposed when somebody else has it."""
    mine = table.c.token == token
    if not connection.execute(sa.update(table).where(mine).values(_beat(connection, seconds))).rowcount:
        raise _deposed()


def give_back_lease(connection: sa.Connection, token: int) -> None:
    """Let a standby take over at once, if the lease is still held."""
    connection.execute(sa.update(table).where(table.c.token == token).values(holder=None))


def check_lease(connection: sa.Connection, token: int) -> None:
    """Raise Deposed unless the lease is held; until the transaction's end nobody else can take it, but it can beat."""
    mine = sa.select(table.c.token).where(table.c.token == token).with_for_update(read=True, key_share=True)
    if connection.execute(mine).first() is None:
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
