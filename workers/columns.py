"""The columns of a trajectory and of a summary: their names, their types, and to which runs they apply."""

from typing import Literal

from workers.observations import infimal_rank, is_target_known, unobserved_index
from workers.specs.run import RunSpec

ColumnKind = Literal["float", "integer", "vector"]

METRICS: dict[str, ColumnKind] = {
    "loss": "float",
    "unobserved_entry": "float",
    "frobenius_norm": "float",
    "nuclear_norm": "float",
    "spectral_norm": "float",
    "effective_rank": "float",
    "stable_rank": "float",
    "distance_to_infimal_rank": "float",
    "determinant_sign": "integer",
    "log_abs_determinant": "float",
    "balancedness_gap": "float",
    "gradient_norm": "float",
    "reconstruction_error": "float",
    "determinant": "float",
    "schatten_quasi_norm": "float",
    "numerical_rank": "integer",
    "singular_values": "vector",
    "entries": "vector",
}
"""Every metric a point can carry, in the order in which they are shown (definitions: `workers.metrics`)."""

TRAJECTORY_COLUMNS: dict[str, ColumnKind] = {"step": "integer", "time": "float", **METRICS}


def metrics_of(spec: RunSpec) -> tuple[str, ...]:
    """Names of the metrics that apply to a run, in the order of METRICS."""
    absent = _absent_metrics(spec)
    return tuple(name for name in METRICS if name not in absent)


def _absent_metrics(spec: RunSpec) -> set[str]:
    rows, columns = spec.problem.shape
    applies = {
        "unobserved_entry": unobserved_index(spec.problem) is not None,
        "distance_to_infimal_rank": infimal_rank(spec.problem) is not None,
        "determinant_sign": rows == columns,
        "log_abs_determinant": rows == columns,
        "balancedness_gap": spec.model.depth > 1,
        "reconstruction_error": is_target_known(spec.problem),
        "entries": bool(spec.record.entries),
        "determinant": "determinant" in spec.record.metrics,
        "schatten_quasi_norm": "schatten_quasi_norm" in spec.record.metrics,
        "numerical_rank": "numerical_rank" in spec.record.metrics,
    }
    return {name for name, does in applies.items() if not does}
