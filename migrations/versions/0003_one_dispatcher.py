"""one active dispatcher: its lease in the database, on which the leases of runs depend; ids of 64 bits on PostgreSQL

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IDS = (
    ("experiments", "id"),
    ("runs", "id"),
    ("runs", "experiment_id"),
    ("checkpoints", "run_id"),
    ("run_summaries", "run_id"),
    ("trajectory_points", "run_id"),
)
POINTS_KEY = "fk_trajectory_points_run_id_runs"
WAITING = sa.text("status IN ('queued', 'running') AND lease_token IS NULL")
LEASED = sa.text("lease_token IS NOT NULL")


def upgrade() -> None:
    """Apply this revision; on SQLite no table is copied."""
    lease = op.create_table(
        "dispatcher_lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=255), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatcher_lease")),
    )
    op.bulk_insert(lease, [{"id": 1, "token": 0}])
    _drop_indexes()
    _replace_batch_limit(sa.Column("batch_limit_", sa.Integer(), nullable=False, server_default="0"), "NULL", "0")
    op.drop_column("runs", "leased_until")
    _create_indexes(LEASED)
    _change_ids(sa.BigInteger(), "bigint")
    if _is_postgresql():  # checking it takes longer than writing the points themselves
        op.drop_constraint(POINTS_KEY, "trajectory_points", type_="foreignkey")


def downgrade() -> None:
    """Undo this revision."""
    if _is_postgresql():
        op.create_foreign_key(POINTS_KEY, "trajectory_points", "runs", ["run_id"], ["id"], ondelete="CASCADE")
    _change_ids(sa.Integer(), "integer")
    _drop_indexes()
    op.add_column("runs", sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True))
    _replace_batch_limit(sa.Column("batch_limit_", sa.Integer(), nullable=True), "0", "NULL")
    _create_indexes(None)
    op.drop_table("dispatcher_lease")


def _replace_batch_limit(column: sa.Column[int], none_was: str, none_is: str) -> None:
    """A column beside the old one that takes its name: SQLite can change a column only by copying the table."""
    op.add_column("runs", column)
    known = "batch_limit IS NOT NULL" if none_was == "NULL" else f"batch_limit <> {none_was}"
    op.execute(f"UPDATE runs SET batch_limit_ = CASE WHEN {known} THEN batch_limit ELSE {none_is} END WHERE {known}")
    op.drop_column("runs", "batch_limit")
    op.execute("ALTER TABLE runs RENAME COLUMN batch_limit_ TO batch_limit")


def _drop_indexes() -> None:
    op.drop_index("ix_runs_waiting", "runs")
    op.drop_index("ix_runs_lease_token", "runs")


def _create_indexes(leased: sa.TextClause | None) -> None:
    columns = ["batch_key", "batch_limit", "id"]
    op.create_index("ix_runs_waiting", "runs", columns, sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("ix_runs_lease_token", "runs", ["lease_token"], sqlite_where=leased, postgresql_where=leased)


def _change_ids(kind: sa.Integer, name: str) -> None:
    if not _is_postgresql():
        return
    for table, column in IDS:
        op.alter_column(table, column, type_=kind, existing_nullable=False)
    for table in ("experiments", "runs"):
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS {name}")


def _is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"
