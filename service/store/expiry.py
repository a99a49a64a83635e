"""Experiments that expire: what takes many transactions to store or to remove, without a reader ever seeing a part.

An experiment with an expiry does not exist for clients. While it is stored, piece by piece, its expiry is put off; the
last transaction takes it away, and shows the experiment at once. A removal sets it to the present. What has expired is
removed piece by piece, by whoever gets to it: what a killed process left half stored, too.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

import sqlalchemy as sa

from service.store.factor_snapshots import remove_snapshots
from service.store.leases import lock_runs
from service.store.tables import SHOWN, experiments, runs, spec_parts, trajectory_points
from service.values.ids import new_id

TIME_FOR_A_PIECE = timedelta(seconds=30)
"""How long the storing of a piece may take before the experiment counts as given up."""

MOST_RUNS, MOST_POINTS = 500, 5000
"""Removed in a transaction: about 25 ms for either on SQLite, where other writers wait that long."""

MOST_NUMBERS = 2**20
"""Numbers in the states and observations of the runs that a transaction removes, beyond its first run."""


MOST_PART_BYTES = 2**22
"""Bytes of long parts of specs that a transaction removes, beyond its first part."""


def put_off(connection: sa.Connection, public_id: str, now: datetime) -> bool:
    """Put off the expiry of an experiment that is being stored; False if it has expired already."""
    return _change_unexpired(connection, public_id, now, now + TIME_FOR_A_PIECE)


def show(connection: sa.Connection, public_id: str, now: datetime) -> bool:
    """Show an experiment whose runs are all stored; False if it has expired before."""
    return _change_unexpired(connection, public_id, now, None)


def give_up(connection: sa.Connection, experiment_id: int, now: datetime) -> None:
    """Let an experiment that is being stored, or that has expired, be removed."""
    _expire(connection, sa.and_(experiments.c.id == experiment_id, experiments.c.expires_at.is_not(None)), now)


def expire(connection: sa.Connection, public_id: str, now: datetime) -> bool:
    """Take an experiment away from clients, to be removed; returns whether it existed."""
    return _expire(connection, sa.and_(experiments.c.public_id == public_id, SHOWN), now)


def has_expired(connection: sa.Connection, now: datetime) -> bool:
    """Whether there is anything to remove."""
    return connection.scalar(sa.select(experiments.c.id).where(experiments.c.expires_at <= now).limit(1)) is not None


def remove_piece(connection: sa.Connection, now: datetime) -> bool:
    """Remove a part of what has expired; returns whether there was anything."""
    oldest = sa.select(experiments.c.id).where(experiments.c.expires_at <= now)
    experiment_id = connection.scalar(oldest.order_by(experiments.c.id).limit(1))
    if experiment_id is None:
        return False
    run_ids = _runs_to_remove(connection, experiment_id)
    lock_runs(connection, runs.c.id.in_(run_ids))  # before the experiment, as in every other transaction
    give_up(connection, experiment_id, now)  # whoever stores it still, by a slow clock, notices at the next piece
    if not run_ids:
        if not _remove_parts(connection, experiment_id):
            connection.execute(sa.delete(experiments).where(experiments.c.id == experiment_id))
        return True
    if remove_snapshots(connection, run_ids):
        _remove(connection, run_ids)
    return True


def _change_unexpired(connection: sa.Connection, public_id: str, now: datetime, expires_at: datetime | None) -> bool:
    unexpired = sa.and_(experiments.c.public_id == public_id, experiments.c.expires_at > now)
    changed = connection.execute(sa.update(experiments).where(unexpired).values(expires_at=expires_at))
    return changed.rowcount > 0


def _expire(connection: sa.Connection, selected: sa.ColumnElement[bool], now: datetime) -> bool:
    """An expired experiment has no id, idempotency key or API key any more that anything could refer to."""
    nobody = {"public_id": new_id(), "idempotency_key": None, "api_key_id": None}
    return connection.execute(sa.update(experiments).where(selected).values(expires_at=now, **nobody)).rowcount > 0


def _runs_to_remove(connection: sa.Connection, experiment_id: int) -> Sequence[int]:
    """The first runs of an experiment, no more than are removed at once."""
    query = sa.select(runs.c.id, runs.c.numbers + sa.func.coalesce(runs.c.observed, 0))
    # By their index, of which an index has the order: by their ids PostgreSQL passes through the runs of all others.
    of_experiment = query.where(runs.c.experiment_id == experiment_id).order_by(runs.c.index).limit(MOST_RUNS)
    chosen, numbers = list[int](), 0
    for run_id, size in connection.execute(of_experiment):
        numbers += size
        if chosen and numbers > MOST_NUMBERS:
            break
        chosen.append(run_id)
    return chosen


def _remove_parts(connection: sa.Connection, experiment_id: int) -> bool:
    """Remove the first long parts of an experiment's specs, one at least; returns whether there was any."""
    parts = spec_parts.c
    sizes = connection.execute(sa.select(parts.digest, parts.bytes).where(parts.experiment_id == experiment_id)).all()
    taken = accumulate(size for _, size in sizes)
    first = [digest for (digest, size), total in zip(sizes, taken, strict=True) if total - size < MOST_PART_BYTES]
    removed = sa.delete(spec_parts).where(parts.experiment_id == experiment_id, parts.digest.in_(first[:MOST_RUNS]))
    connection.execute(removed)
    return bool(first)


def _remove(connection: sa.Connection, run_ids: Sequence[int]) -> None:
    """Remove runs with their points; if those are many, the first of them and the runs that have none left."""
    points = trajectory_points.c
    of_runs = points.run_id.in_(run_ids)
    first_kept = sa.select(points.run_id, points.step).where(of_runs).order_by(points.run_id, points.step)
    kept = connection.execute(first_kept.offset(MOST_POINTS).limit(1)).first()
    removed_points, removed_runs = of_runs, runs.c.id.in_(run_ids)
    if kept is not None:
        earlier = sa.or_(points.run_id < kept.run_id, sa.and_(points.run_id == kept.run_id, points.step < kept.step))
        removed_points = sa.and_(of_runs, earlier)
        removed_runs = sa.and_(removed_runs, runs.c.id < kept.run_id)
    connection.execute(sa.delete(trajectory_points).where(removed_points))
    connection.execute(sa.delete(runs).where(removed_runs))
