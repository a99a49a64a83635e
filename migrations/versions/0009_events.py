"""events: revisions of experiments and of their runs' status, from which events have their order

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_runs_experiment_id_revision_index"


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    for table in ("experiments", "runs"):
        op.add_column(table, sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(INDEX, "runs", ["experiment_id", "revision", "index"])


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index(INDEX, "runs")
    for table in ("runs", "experiments"):
        op.drop_column(table, "revision")
