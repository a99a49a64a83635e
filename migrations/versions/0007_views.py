"""read-only views for SQL clients: experiment_summary, run_summary, trajectory

Revision ID: 0007
Revises: 0003
"""

from alembic import op

from migrations.views import create_views, drop_views

revision = "0007"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    create_views(op.get_bind())


def downgrade() -> None:
    """Undo this revision."""
    drop_views(op.get_bind())
