"""flows: their end, the drift of what they conserve, and the point at which it was too large

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NEW_COLUMNS = {
    "runs": {"max_time": sa.Double},
    "run_summaries": {"drift_exceeded_at": sa.BigInteger, "conservation_drift": sa.Double},
    "trajectory_points": {"conservation_drift": sa.Double},
}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    for table, columns in NEW_COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind(), nullable=True))


def downgrade() -> None:
    """Undo this revision."""
    for table, columns in NEW_COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)
