"""indexes for a million runs, and when PostgreSQL vacuums the large tables

Revision ID: 0026
Revises: 0025
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NEW = {
    "ix_runs_experiment_id_id": ("runs", ["experiment_id", "id"]),
    "ix_runs_created_at": ("runs", ["created_at"]),
    "ix_run_summaries_loss": ("run_summaries", ["loss"]),
}
OLD = {"ix_runs_depth_learning_rate": ("runs", ["depth", "learning_rate"])}

VACUUM = {"runs": 0.05, "run_summaries": 0.05, "checkpoints": 0.05, "trajectory_points": 0.02}
"""Shares of a table's rows that may be dead before autovacuum comes; its default is 0.2, 200 000 of a million."""


def upgrade() -> None:
    """Apply this revision; it reads the tables once for each index."""
    _replace(OLD, NEW)
    if op.get_bind().dialect.name == "postgresql":
        for table, share in VACUUM.items():
            settings = f"autovacuum_vacuum_scale_factor = {share}, autovacuum_analyze_scale_factor = {share}"
            op.execute(f"ALTER TABLE {table} SET ({settings})")


def downgrade() -> None:
    """Undo this revision."""
    _replace(NEW, OLD)
    if op.get_bind().dialect.name == "postgresql":
        for table in VACUUM:
            op.execute(f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor)")


def _replace(before: dict[str, tuple[str, list[str]]], after: dict[str, tuple[str, list[str]]]) -> None:
    for name, (table, _) in before.items():
        op.drop_index(name, table)
    for name, (table, columns) in after.items():
        op.create_index(name, table, columns)
