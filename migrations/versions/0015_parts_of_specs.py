"""long parts of specs, each stored once for its experiment; views of specs and of their parts

Revision ID: 0015
Revises: 0014
"""

from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from migrations.views import replaced_views, views_of

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BEFORE = views_of("0014_expiring_experiments")
VIEWS = replace(BEFORE, has_specs=True)

_runs = sa.table(
    "runs", *map(sa.column, ("id", "experiment_id")), sa.column("spec", sa.JSON), sa.column("parts", sa.JSON)
)
_parts = sa.table("spec_parts", *map(sa.column, ("experiment_id", "digest", "value")))


def upgrade() -> None:
    """Apply this revision; specs that are stored whole stay so."""
    op.create_table(
        "spec_parts",
        sa.Column("experiment_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name="fk_spec_parts_experiment_id_experiments", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "digest", name="pk_spec_parts"),
    )
    with replaced_views(BEFORE, VIEWS):
        op.add_column("runs", sa.Column("parts", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Undo this revision; every spec is stored whole again."""
    connection = op.get_bind()
    split = sa.select(_runs.c.id).where(_runs.c.parts.is_not(sa.null())).order_by(_runs.c.id)
    for run_id in connection.scalars(split).all():
        run = connection.execute(sa.select(_runs).where(_runs.c.id == run_id)).one()
        whole = _whole(connection, run.spec, run.parts, run.experiment_id)
        connection.execute(sa.update(_runs).where(_runs.c.id == run_id).values(spec=whole))
    with replaced_views(VIEWS, BEFORE):
        op.drop_column("runs", "parts")
    op.drop_table("spec_parts")


def _whole(connection: sa.Connection, spec: Any, places: dict[str, str], experiment_id: int) -> Any:
    """A spec with the part at each of its JSON pointers."""
    for pointer, digest in places.items():
        *parents, last = (key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:])
        inner = spec
        for key in parents:
            inner = inner[key]
        of = sa.and_(_parts.c.experiment_id == experiment_id, _parts.c.digest == digest)
        inner[last] = orjson.loads(connection.execute(sa.select(_parts.c.value).where(of)).scalar_one())
    return spec
