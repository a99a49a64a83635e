"""read-only views for SQL clients: experiment_summary, run_summary, trajectory

Revision ID: 0007
Revises: 0006
"""

from migrations.views import Views, create_views, drop_views

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

VIEWS = Views(
    state=("status", "outcome", "step", "engine", "device", "created_at", "started_at", "finished_at", "error"),
    spec={
        "problem_kind": "problem_kind",
        "rows": "product_rows",
        "columns": "product_columns",
        "tensor_order": "tensor_order",
        "observed": "observed",
        "model_kind": "model_kind",
        "depth": "model_depth",
        "components": "model_components",
        "init_kind": "init_kind",
        "init_std": "init_std",
        "init_std_of": "init_std_of",
        "init_scale": "init_scale",
        "balanced": "init_balanced",
        "determinant": "init_determinant",
        "optimizer_kind": "optimizer_kind",
        "learning_rate": "learning_rate",
        "max_steps": "max_steps",
        "loss_below": "loss_below",
        "loss_kind": "loss_kind",
        "precision": "precision",
        "seed": "seed",
    },
    summary=(
        "steps",
        "time",
        "determinant_sign_changed_at",
        "first_step_below",
        "loss",
        "unobserved_entry",
        "frobenius_norm",
        "nuclear_norm",
        "spectral_norm",
        "effective_rank",
        "stable_rank",
        "distance_to_infimal_rank",
        "determinant_sign",
        "log_abs_determinant",
        "balancedness_gap",
        "gradient_norm",
        "reconstruction_error",
        "determinant",
        "schatten_quasi_norm",
        "numerical_rank",
        "singular_values",
        "entries",
        "component_norms",
        "matricisation_ranks",
        "matricisation_effective_ranks",
        "rank",
        "target_rank",
        "linear_rank",
        "linear_reconstruction_error",
        "sharpness",
        "solver",
        "duality_gap",
        "constraint_violation",
        "drift_exceeded_at",
        "conservation_drift",
    ),
    points=(
        "step",
        "time",
        "loss",
        "unobserved_entry",
        "frobenius_norm",
        "nuclear_norm",
        "spectral_norm",
        "effective_rank",
        "stable_rank",
        "distance_to_infimal_rank",
        "determinant_sign",
        "log_abs_determinant",
        "balancedness_gap",
        "gradient_norm",
        "reconstruction_error",
        "determinant",
        "schatten_quasi_norm",
        "numerical_rank",
        "singular_values",
        "entries",
        "component_norms",
        "matricisation_ranks",
        "matricisation_effective_ranks",
        "sharpness",
        "conservation_drift",
    ),
    statuses=("queued", "running", "succeeded", "failed", "cancelled"),
)


def upgrade() -> None:
    """Apply this revision."""
    create_views(VIEWS)


def downgrade() -> None:
    """Undo this revision."""
    drop_views(VIEWS)
