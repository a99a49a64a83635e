"""test loss: a column of points and of summaries

Revision ID: 0018
Revises: 0017
"""

from dataclasses import replace

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BEFORE = views_of("0017_hessians_alignments_and_snapshots")
VIEWS = replace(BEFORE, summary=(*BEFORE.summary, "test_loss"), points=(*BEFORE.points, "test_loss"))
NEW_COLUMNS = {table: {"test_loss": sa.Double} for table in ("run_summaries", "trajectory_points")}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
