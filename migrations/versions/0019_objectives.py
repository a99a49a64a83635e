"""objectives: a column of points and of summaries

Revision ID: 0019
Revises: 0018
"""

from dataclasses import replace

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BEFORE = views_of("0018_test_loss")
VIEWS = replace(BEFORE, summary=(*BEFORE.summary, "objective"), points=(*BEFORE.points, "objective"))
NEW_COLUMNS = {table: {"objective": sa.Double} for table in ("run_summaries", "trajectory_points")}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
