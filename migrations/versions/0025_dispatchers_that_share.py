"""dispatchers that share: a row for each, in place of the one lease; tokens of slices name their dispatcher

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision; leases of runs are left to the first dispatcher, whose none of them is."""
    op.drop_table("dispatcher_lease")
    op.create_table(
        "dispatchers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=True),
        sa.Column("idle_workers", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("suspects", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatchers")),
        sa.UniqueConstraint("name", name=op.f("uq_dispatchers_name")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("dispatchers")
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
