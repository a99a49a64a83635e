"""the time at which a flow ends becomes a column like any other of a spec: in the views, absent for a nuclear norm

Revision ID: 0010
Revises: 0009
"""

from dataclasses import replace

from alembic import op

from migrations.views import replaced_views, views_of

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BEFORE = views_of("0007_views")
VIEWS = replace(BEFORE, spec={**BEFORE.spec, "max_time": "max_time"})


def upgrade() -> None:
    """Apply this revision; what was posted beside a nuclear_norm for the flows of its sweep is no property of it."""
    with replaced_views(BEFORE, VIEWS):
        op.execute("UPDATE runs SET max_time = NULL WHERE model_kind = 'nuclear_norm' AND max_time IS NOT NULL")


def downgrade() -> None:
    """Undo this revision; what a nuclear_norm had beside it stays in its spec."""
    with replaced_views(VIEWS, BEFORE):
        pass
