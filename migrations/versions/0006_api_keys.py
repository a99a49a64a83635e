"""API keys, which key submitted an experiment, what a run may cost

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("max_requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("max_unfinished_runs", sa.Integer(), nullable=True),
        sa.Column("max_unfinished_multiply_adds", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.add_column("experiments", sa.Column("api_key_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_experiments_api_key_id"), "experiments", ["api_key_id"])
    op.add_column("runs", sa.Column("max_multiply_adds", sa.Double(), nullable=True))


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("runs", "max_multiply_adds")
    op.drop_index(op.f("ix_experiments_api_key_id"), table_name="experiments")
    op.drop_column("experiments", "api_key_id")
    op.drop_table("api_keys")
