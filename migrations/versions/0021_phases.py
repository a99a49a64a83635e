"""phases: a column of points and of summaries, and where the phases of a run ended

Revision ID: 0021
Revises: 0020
"""

from dataclasses import replace

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BEFORE = views_of("0020_vectors")
VIEWS = replace(BEFORE, summary=(*BEFORE.summary, "phase"), points=(*BEFORE.points, "phase"))
NEW_COLUMNS = {
    **{table: {"phase": sa.Integer} for table in ("run_summaries", "trajectory_points")},
    "checkpoints": {"phase_ends": sa.JSON},
}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
