"""expiring experiments: what is stored or removed in pieces is not shown

Revision ID: 0014
Revises: 0013
"""

from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from migrations.views import replaced_views, views_of

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BEFORE = views_of("0013_seeds_of_any_size")
VIEWS = replace(BEFORE, shown="e.expires_at IS NULL")
INDEX = "ix_experiments_expires_at"
EXPIRING = sa.text("expires_at IS NOT NULL")


def upgrade() -> None:
    """Apply this revision; adding a column rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        op.add_column("experiments", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(INDEX, "experiments", ["expires_at"], sqlite_where=EXPIRING, postgresql_where=EXPIRING)


def downgrade() -> None:
    """Undo this revision; what was not shown is removed."""
    op.execute("DELETE FROM experiments WHERE expires_at IS NOT NULL")
    op.drop_index(INDEX, "experiments")
    with replaced_views(VIEWS, BEFORE):
        op.drop_column("experiments", "expires_at")
