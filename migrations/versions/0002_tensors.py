"""tensors: metrics of components, ranks in the summary, the rank search of a run whose descent is over

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

POINTS = {
    "component_norms": sa.JSON,
    "matricisation_ranks": sa.JSON,
    "matricisation_effective_ranks": sa.JSON,
}
NEW_COLUMNS = {
    "runs": {"components": sa.Integer, "tensor_order": sa.Integer, "observed": sa.Integer},
    "run_summaries": {
        **POINTS,
        "rank": sa.Integer,
        "target_rank": sa.Integer,
        "linear_rank": sa.Integer,
        "linear_reconstruction_error": sa.Double,
    },
    "trajectory_points": POINTS,
    "checkpoints": {"rank_search": sa.LargeBinary},
}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    drop_columns(NEW_COLUMNS)
