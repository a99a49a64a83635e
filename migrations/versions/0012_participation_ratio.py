"""participation ratio: a column of points and of summaries

Revision ID: 0012
Revises: 0011
"""

from dataclasses import replace

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BEFORE = views_of("0010_max_time")
VIEWS = replace(
    BEFORE, summary=(*BEFORE.summary, "participation_ratio"), points=(*BEFORE.points, "participation_ratio")
)
NEW_COLUMNS = {table: {"participation_ratio": sa.Double} for table in ("run_summaries", "trajectory_points")}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
