"""short ids: an index of the last characters of ids

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = ("experiments", "runs")


def upgrade() -> None:
    """Apply this revision; no row is rewritten."""
    for table in TABLES:
        op.create_index(f"ix_{table}_id_end", table, [sa.text("substr(public_id, 29)")])


def downgrade() -> None:
    """Undo this revision."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_id_end", table)
