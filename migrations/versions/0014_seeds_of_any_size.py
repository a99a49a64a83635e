"""seeds of any size: NUMERIC on PostgreSQL; SQLite takes them into its column as they are, and its view shows digits

Revision ID: 0014
Revises: 0012
"""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.views import replaced_views, views_of

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

BEFORE = views_of("0012_participation_ratio")
VIEWS = replace(BEFORE, naturals=("seed",))
LARGEST_BEFORE = 2**63 - 1


def upgrade() -> None:
    """Apply this revision; PostgreSQL rewrites the table `runs`, SQLite no row."""
    with replaced_views(BEFORE, VIEWS):
        _change_type(sa.Numeric())


def downgrade() -> None:
    """Undo this revision; raises RuntimeError while a run has a seed that the older schema cannot hold."""
    larger = "typeof(seed) = 'blob'" if _on_sqlite() else f"seed > {LARGEST_BEFORE}"
    if op.get_bind().scalar(sa.text(f"SELECT COUNT(*) FROM runs WHERE {larger}")):
        raise RuntimeError(
            f"Runs have seeds above {LARGEST_BEFORE}, which revision 0012 cannot hold; delete them first."
        )
    with replaced_views(VIEWS, BEFORE):
        _change_type(sa.BigInteger())


def _change_type(kind: sa.types.TypeEngine[Any]) -> None:
    if not _on_sqlite():
        op.alter_column("runs", "seed", type_=kind, existing_nullable=False)


def _on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
