"""priorities between experiments, shares between keys

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WAITING = sa.text("status IN ('queued', 'running') AND lease_token IS NULL")
BEFORE = ["batch_key", "batch_limit", "id"]


def upgrade() -> None:
    """Apply this revision; on SQLite no table is copied."""
    op.add_column("experiments", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    for name in ("urgency", "share"):
        op.add_column("runs", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_runs_waiting", "runs")
    _create_index(["urgency", "share", *BEFORE])


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index("ix_runs_waiting", "runs")
    _create_index(BEFORE)
    for name in ("share", "urgency"):
        op.drop_column("runs", name)
    op.drop_column("experiments", "priority")


def _create_index(columns: list[str]) -> None:
    op.create_index("ix_runs_waiting", "runs", columns, sqlite_where=WAITING, postgresql_where=WAITING)
