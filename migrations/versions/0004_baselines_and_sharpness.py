"""baselines and sharpness: how a nuclear norm was minimised, the largest Hessian eigenvalue of a point

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NEW_COLUMNS = {
    "run_summaries": {
        "sharpness": sa.Double,
        "solver": sa.Text,
        "duality_gap": sa.Double,
        "constraint_violation": sa.Double,
    },
    "trajectory_points": {"sharpness": sa.Double},
}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    drop_columns(NEW_COLUMNS)
