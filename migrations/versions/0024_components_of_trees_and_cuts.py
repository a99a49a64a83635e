"""norms of local components, and matricisations of cuts: columns of points and of summaries

Revision ID: 0024
Revises: 0023
"""

from dataclasses import replace

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

BEFORE = views_of("0023_computed_with")
NEW = {"local_component_norms": sa.JSON, "cut_ranks": sa.JSON, "cut_singular_values": sa.JSON}
VIEWS = replace(BEFORE, summary=(*BEFORE.summary, *NEW), points=(*BEFORE.points, *NEW))
NEW_COLUMNS = {"run_summaries": NEW, "trajectory_points": NEW}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
