"""The dispatchers: each has a row with its lease, and a process that has lost its row can store nothing.

Times are read from the database's clock, which may be set back or forward at any time. A membership therefore uses more
than this clock to decide whether a silent dispatcher is gone, see `service.dispatch.membership`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from service.errors import RankwardError
from service.store.inserts import insert_into
from service.store.tables import dispatchers as table


class Deposed(RankwardError):
    """This dispatcher is no longer one of those at work"""


@dataclass(frozen=True)
class Needs:
    """What a dispatcher tells the others, so that their plans leave it its part.

    Attributes:
        idle_workers: workers for which it found no runs.
        suspects: slices in flight that may kill their workers, and be blamed with whatever waits there.
    """

    idle_workers: int = 0
    suspects: int = 0


@dataclass(frozen=True)
class Lease:
    """A dispatcher at work, or one that was and is not known to be gone.

    Attributes:
        id: the token of its writes; a later dispatcher's is larger, and none is given twice.
        cluster: address of the scheduler whose workers it uses; None where it has workers of its own.
    """

    id: int
    name: str
    heartbeat_at: datetime
    expires_at: datetime
    cluster: str | None
    needs: Needs

    def has_expired(self, now: datetime) -> bool:
        """Whether the lease has run out at `now`."""
        return now >= self.expires_at

    def is_alive(self, now: datetime) -> bool:
        """Whether it has beaten within its lease; a beat in the far future means a clock set back."""
        return not self.has_expired(now) and self.heartbeat_at - now < self.expires_at - self.heartbeat_at


@dataclass(frozen=True)
class AtWork:
    """The public state of the dispatchers.

    Attributes:
        names: of those that have beaten within their leases.
        seconds_ago: seconds since the last beat of any; None if there was never one.
    """

    names: tuple[str, ...]
    seconds_ago: float | None


def database_now(connection: sa.Connection) -> datetime:
    """The database's clock: the server's on PostgreSQL, this machine's on SQLite."""
    if connection.dialect.name == "postgresql":
        return connection.scalars(sa.select(sa.func.clock_timestamp())).one()
    return datetime.now(UTC)


def dispatchers_at_work(connection: sa.Connection) -> AtWork:
    """Which dispatchers are at work, and when one was last heard of."""
    now, last = database_now(connection), connection.scalar(sa.select(sa.func.max(table.c.heartbeat_at)))
    names = tuple(lease.name for lease in read_leases(connection) if lease.is_alive(now))
    return AtWork(names, None if last is None else (now - last).total_seconds())


def read_leases(connection: sa.Connection) -> list[Lease]:
    """All leases that were neither given back nor taken away, the eldest first."""
    query = sa.select(table).where(_HELD).order_by(table.c.id)
    return [
        Lease(row.id, row.name, row.heartbeat_at, row.expires_at, row.cluster, Needs(row.idle_workers, row.suspects))
        for row in connection.execute(query)
    ]


def add_lease(connection: sa.Connection, name: str, cluster: str | None, seconds: float) -> int | None:
    """Add a dispatcher, and forget those that are over; returns its token, or None if the name is taken."""
    connection.execute(sa.delete(table).where(sa.not_(_HELD)))
    row = {"name": name, "cluster": cluster, **_beat(connection, seconds)}
    unless_taken = insert_into(connection, table).values(row).on_conflict_do_nothing()
    return connection.scalar(unless_taken.returning(table.c.id))


def beat(connection: sa.Connection, token: int, needs: Needs, seconds: float) -> None:
    """Extend a lease to `seconds` from now, with what the others are told; the caller has checked the lease."""
    told = {"idle_workers": needs.idle_workers, "suspects": needs.suspects}
    connection.execute(sa.update(table).where(table.c.id == token).values(**told, **_beat(connection, seconds)))


def check_lease(connection: sa.Connection, token: int) -> None:
    """Raise Deposed unless the lease is held; until the transaction ends, beats are possible but no removal."""
    held = _marked(connection, token).where(_HELD).with_for_update(read=True, key_share=True)
    if connection.execute(held).first() is None:
        raise Deposed("This dispatcher was taken for dead; what it had in hand is left to the others.")


def take_away(connection: sa.Connection, lease: Lease) -> bool:
    """Take a lease away unless it has changed since it was read, or a write of its dispatcher is under way."""
    unchanged = sa.and_(_HELD, table.c.heartbeat_at == lease.heartbeat_at)
    if connection.execute(_marked(connection, lease.id).where(unchanged).with_for_update(skip_locked=True)).first():
        give_back(connection, lease.id)
        return True
    return False


def give_back(connection: sa.Connection, token: int) -> None:
    """End a lease; the row stays until the next dispatcher comes, as a trace of the last beat."""
    connection.execute(sa.update(table).where(table.c.id == token).values(name=None))


def end_silent_writers(connection: sa.Connection, token: int, seconds: float) -> None:
    """End a dispatcher's sessions whose transaction is idle and older than `seconds`.

    Such a dispatcher is suspended or cut off, and its locks, above all the one on its row, stay. PostgreSQL can end
    its session; the lock on a SQLite file ends with its process.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_END_SILENT_WRITERS, {"mark": _MARK, "token": token, "seconds": seconds})


_HELD = table.c.name.is_not(None)
_MARK = 0x52616E6C
"""First key of the advisory locks by which PostgreSQL knows the sessions that write for a dispatcher."""

_SECONDS_TO_END = 1
_END_SILENT_WRITERS = sa.text(
    f"SELECT pg_terminate_backend(pid, {1000 * _SECONDS_TO_END}) FROM pg_stat_activity"
    " WHERE usename = current_user AND pid <> pg_backend_pid() AND wait_event IN ('ClientRead', 'ClientWrite')"
    " AND xact_start < clock_timestamp() - make_interval(secs => :seconds)"
    " AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = CAST(:mark AS bigint)::oid AND objid = CAST(:token AS bigint)::oid)"
)


def _marked(connection: sa.Connection, token: int) -> sa.Select[tuple[int]]:
    """Select a dispatcher's row, and mark the session on PostgreSQL as one that holds it until its transaction ends."""
    query = sa.select(table.c.id).where(table.c.id == token)
    if connection.dialect.name != "postgresql":
        return query
    return query.add_columns(sa.func.pg_advisory_xact_lock_shared(_MARK, table.c.id))


def _beat(connection: sa.Connection, seconds: float) -> dict[str, datetime]:
    now = database_now(connection)
    return {"heartbeat_at": now, "expires_at": now + timedelta(seconds=seconds)}
