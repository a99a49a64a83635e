"""API keys in the store: their digests, and the unfinished work of each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from service.store.tables import api_keys, experiments, runs
from service.values.statuses import UNFINISHED

Row = Mapping[Any, Any]


def insert_key(connection: sa.Connection, values: Mapping[str, Any]) -> None:
    """Write a key; raises IntegrityError if its prefix is in use."""
    connection.execute(sa.insert(api_keys).values(values))


def find_key(connection: sa.Connection, digest: str) -> Row | None:
    """The key with a digest, revoked or not."""
    return connection.execute(sa.select(api_keys).where(api_keys.c.digest == digest)).mappings().first()


def find_owner(connection: sa.Connection, experiment_id: int) -> Row | None:
    """The key that submitted an experiment, given by its internal id; None if there was none."""
    submitted = sa.select(experiments.c.api_key_id).where(experiments.c.id == experiment_id).scalar_subquery()
    return connection.execute(sa.select(api_keys).where(api_keys.c.id == submitted)).mappings().first()


def list_keys(connection: sa.Connection) -> Sequence[Row]:
    """All keys, oldest first."""
    return connection.execute(sa.select(api_keys).order_by(api_keys.c.id)).mappings().all()


def revoke_key(connection: sa.Connection, prefix: str, now: datetime) -> bool:
    """Revoke a key; returns whether there was an active one."""
    active = sa.and_(api_keys.c.prefix == prefix, api_keys.c.revoked_at.is_(None))
    return connection.execute(sa.update(api_keys).where(active).values(revoked_at=now)).rowcount > 0


def has_active_key(connection: sa.Connection) -> bool:
    """Whether any key is not revoked."""
    return connection.scalar(sa.select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None)).limit(1)) is not None


def hold_key(connection: sa.Connection, key_id: int) -> None:
    """Lock a key, so that one transaction at a time counts and adds runs of it (SQLite's writers queue anyway)."""
    connection.execute(sa.select(api_keys.c.id).where(api_keys.c.id == key_id).with_for_update())


def unfinished_work(connection: sa.Connection, key_id: int) -> tuple[int, float]:
    """Number of a key's unfinished runs, and their multiply-adds at most."""
    query = (
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(runs.c.max_multiply_adds), 0.0))
        .join(experiments, runs.c.experiment_id == experiments.c.id)
        .where(experiments.c.api_key_id == key_id, runs.c.status.in_(UNFINISHED))
    )
    count, multiply_adds = connection.execute(query).one()
    return count, float(multiply_adds)
