"""baselines: a column of summaries

Revision ID: 0022
Revises: 0021
"""

from dataclasses import replace

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BEFORE = views_of("0021_phases")
VIEWS = replace(BEFORE, summary=(*BEFORE.summary, "stationarity"))
NEW_COLUMNS = {"run_summaries": {"stationarity": sa.Double}}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
