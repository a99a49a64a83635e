"""computed with: the versions and the hardware of a run's last slice

Revision ID: 0023
Revises: 0022
"""

from dataclasses import replace

import sqlalchemy as sa

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BEFORE = views_of("0022_baselines")
VIEWS = replace(BEFORE, state=(*BEFORE.state, "computed_with"))
NEW_COLUMNS = {"runs": {"computed_with": sa.JSON}}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)


def downgrade() -> None:
    """Undo this revision."""
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
