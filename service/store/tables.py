"""The schema: experiments, their runs, and the data of runs."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from service.store.naming import empty_metadata
from service.store.spec_columns import table_columns
from service.values.statuses import UNFINISHED
from workers.runs.metrics import METRICS, SUMMARY_METRICS, ColumnKind

metadata = empty_metadata()


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite, which has no time zones, stores it without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)  # PostgreSQL's are in its own zone


Id = sa.BigInteger().with_variant(
    sa.Integer, "sqlite"
)  # SQLite's INTEGER has 64 bits, and is its only type with autoincrement
END_AT = 29
"""Where the last 8 characters of a public id begin, counted from 1 as SQL does; an index has these (short_ids.py)."""
_TYPES: dict[ColumnKind, type[Any]] = {"float": sa.Double, "integer": sa.Integer, "vector": sa.JSON, "text": sa.Text}


def _metric_columns() -> list[sa.Column[Any]]:
    return [sa.Column(name, _TYPES[kind]) for name, kind in METRICS.items()]


def _run_id() -> sa.Column[int]:
    return sa.Column("run_id", sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)


api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("prefix", sa.String(16), nullable=False, unique=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("revoked_at", UtcTime),
    # Limits of this key; null stands for the service's default.
    sa.Column("max_requests_per_minute", sa.Integer),
    sa.Column("max_unfinished_runs", sa.Integer),
    sa.Column("max_unfinished_multiply_adds", sa.Double),
)

experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("public_id", sa.String(36), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("run", sa.JSON, nullable=False),
    sa.Column("sweep", sa.JSON, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("idempotency_key", sa.String(255), unique=True),
    sa.Column("body_digest", sa.String(64), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    # The key that submitted it. Keys are revoked, never deleted; a foreign key would rewrite the table on SQLite.
    sa.Column("api_key_id", sa.Integer, index=True),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),  # see revisions.py
    sa.Column("expires_at", UtcTime),  # see expiry.py
    sqlite_autoincrement=True,  # an id is never reused, even after a delete
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("public_id", sa.String(36), nullable=False, unique=True),
    sa.Column("experiment_id", sa.ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("status", sa.String(9), nullable=False),
    sa.Column("outcome", sa.String(16)),
    sa.Column("error", sa.Text),
    sa.Column("step", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("compute_seconds", sa.Double, nullable=False, server_default="0"),
    sa.Column("engine", sa.String(16)),
    sa.Column("device", sa.String(64)),
    sa.Column("computed_with", sa.JSON(none_as_null=True)),
    # The spec without its long parts, which are null there; where they belong (spec_parts.py), NULL where it has none;
    # and columns for the fields that people filter on.
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("parts", sa.JSON(none_as_null=True)),
    *table_columns(),
    # Scheduling. Urgency is minus the priority, because the index of waiting runs is read in ascending order.
    sa.Column("urgency", sa.Integer, nullable=False, server_default="0"),
    sa.Column("share", sa.Integer, nullable=False, server_default="0"),
    sa.Column("batch_key", sa.String(255), nullable=False),
    sa.Column("numbers", sa.BigInteger, nullable=False),
    sa.Column("max_multiply_adds", sa.Double),
    sa.Column("batch_limit", sa.Integer, nullable=False, server_default="0"),  # 0: none
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_token", sa.String(36)),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),  # of the last change of status
    sa.UniqueConstraint("experiment_id", "index"),
    sa.Index(None, "experiment_id", "status"),
    sa.Index(None, "experiment_id", "revision", "index"),
    sa.Index(None, "experiment_id", "id"),  # the span of an experiment's runs (spans.py)
    sa.Index(None, "created_at"),
    sqlite_autoincrement=True,
)

# Literals instead of parameters: a database uses a partial index only if the text of the query implies its condition.
WAITING = sa.text(f"status IN ({', '.join(map(repr, UNFINISHED))}) AND lease_token IS NULL")
LEASED = sa.text("lease_token IS NOT NULL")
_WAITING_COLUMNS = (runs.c.urgency, runs.c.share, runs.c.batch_key, runs.c.batch_limit, runs.c.id)
sa.Index("ix_runs_waiting", *_WAITING_COLUMNS, sqlite_where=WAITING, postgresql_where=WAITING)
sa.Index("ix_runs_lease_token", runs.c.lease_token, sqlite_where=LEASED, postgresql_where=LEASED)


EXPIRING = sa.text("expires_at IS NOT NULL")
sa.Index(None, experiments.c.expires_at, sqlite_where=EXPIRING, postgresql_where=EXPIRING)
SHOWN = experiments.c.expires_at.is_(None)
"""The experiments, and through them the runs, that exist for clients (expiry.py)."""


def end_of(public_id: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The last 8 characters of a public id, written without parameters for the index as above."""
    return sa.func.substr(public_id, sa.literal_column(str(END_AT)))


sa.Index("ix_experiments_id_end", end_of(experiments.c.public_id))
sa.Index("ix_runs_id_end", end_of(runs.c.public_id))

spec_parts = sa.Table(
    "spec_parts",
    metadata,
    sa.Column("experiment_id", sa.ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("digest", sa.String(32), primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text, nullable=False),  # JSON
)

summaries = sa.Table(
    "run_summaries",
    metadata,
    _run_id(),
    sa.Column("steps", sa.BigInteger, nullable=False),
    sa.Column("time", sa.Double),
    sa.Column("determinant_sign_changed_at", sa.BigInteger),
    sa.Column("drift_exceeded_at", sa.BigInteger),
    sa.Column("first_step_below", sa.JSON, nullable=False),
    *_metric_columns(),
    *(sa.Column(name, _TYPES[kind]) for name, kind in SUMMARY_METRICS.items()),
    sa.Index(None, "loss"),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    _run_id(),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
    sa.Column("milestones", sa.LargeBinary, nullable=False),
    sa.Column("rank_search", sa.LargeBinary),
    sa.Column("phase_ends", sa.JSON(none_as_null=True)),  # step and time of each phase that is over
)

factor_snapshots = sa.Table(  # of `record.factors`
    "factor_snapshots",
    metadata,
    _run_id(),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("factors", sa.LargeBinary, nullable=False),  # in the run's precision, as a state begins
)

trajectory_points = sa.Table(
    "trajectory_points",
    metadata,
    _run_id(),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Double),
    *_metric_columns(),
    sqlite_with_rowid=False,
)

dispatchers = sa.Table(
    "dispatchers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(255), unique=True),  # null: its lease was given back or taken away
    sa.Column("heartbeat_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("cluster", sa.Text),
    # What the others are told, see dispatchers.py.
    sa.Column("idle_workers", sa.Integer, nullable=False, server_default="0"),
    sa.Column("suspects", sa.Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
