"""metrics of Hessians and of singular vectors, and snapshots of factors

Revision ID: 0017
Revises: 0016
"""

from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from migrations.columns import add_columns, drop_columns
from migrations.views import replaced_views, views_of

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BEFORE = views_of("0016_margin")
NEW = {
    "hessian_eigenvalues": sa.JSON,
    "hessian_trace": sa.Double,
    "singular_vector_alignment": sa.JSON,
    "subspace_angle": sa.Double,
    "layer_singular_values": sa.JSON,
    "layer_alignment": sa.JSON,
}
VIEWS = replace(BEFORE, summary=(*BEFORE.summary, *NEW), points=(*BEFORE.points, *NEW))
NEW_COLUMNS = {"run_summaries": NEW, "trajectory_points": NEW}


def upgrade() -> None:
    """Apply this revision; adding columns rewrites no row."""
    with replaced_views(BEFORE, VIEWS):
        add_columns(NEW_COLUMNS)
    op.create_table(
        "factor_snapshots",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=False, nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("factors", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_factor_snapshots_run_id_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "step", name="pk_factor_snapshots"),
    )


def downgrade() -> None:
    """Undo this revision; snapshots are removed."""
    op.drop_table("factor_snapshots")
    with replaced_views(VIEWS, BEFORE):
        drop_columns(NEW_COLUMNS)
