"""flows: their end, the drift of what they conserve, and the point at which it was too large

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns

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
    add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    drop_columns(NEW_COLUMNS)
