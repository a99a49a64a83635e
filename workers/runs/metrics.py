"""The columns of a trajectory and of a summary: their names, their types, and to which runs they apply."""

from math import prod
from typing import Literal

from workers.runs.observations import infimal_rank, unobserved_index
from workers.runs.spec import MOST_RANKED_ENTRIES, RunSpec

ColumnKind = Literal["float", "integer", "vector", "text"]

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
    "conservation_drift": "float",
    "gradient_norm": "float",
    "reconstruction_error": "float",
    "determinant": "float",
    "schatten_quasi_norm": "float",
    "numerical_rank": "integer",
    "singular_values": "vector",
    "entries": "vector",
    "component_norms": "vector",
    "matricisation_ranks": "vector",
    "matricisation_effective_ranks": "vector",
    "sharpness": "float",
}
"""Every metric a point can carry, in the order in which they are shown (definitions: `workers.lab.metrics`)."""

SUMMARY_METRICS: dict[str, ColumnKind] = {
    "rank": "integer",
    "target_rank": "integer",
    "linear_rank": "integer",
    "linear_reconstruction_error": "float",
    "solver": "text",
    "duality_gap": "float",
    "constraint_violation": "float",
}
"""What a summary holds beyond a point's metrics, measured once when a run is over.

`rank`, `target_rank`, `linear_rank`: estimates of the least rank whose best fit has mean squared error below 1e-6
(`workers.lab.metrics.tensor_rank`), of the product, of the target, and of the linear baseline (the observed entries,
zeros elsewhere), whose distance to the target is `linear_reconstruction_error`.

`solver`, `duality_gap`, `constraint_violation`: how a nuclear_norm was found and how far from the optimum it can be
(`workers.lab.baselines.certificates`)."""

OF_BASELINES = ("solver", "duality_gap", "constraint_violation")

TRAJECTORY_COLUMNS: dict[str, ColumnKind] = {"step": "integer", "time": "float", **METRICS}


def metrics_of(spec: RunSpec) -> tuple[str, ...]:
    """Names of the metrics that apply to a run, in the order of METRICS."""
    absent = _absent_metrics(spec)
    return tuple(name for name in METRICS if name not in absent)


def ranks_of(spec: RunSpec) -> tuple[str, ...]:
    """Which ranks a run is measured by: those there are if its target is known or the metric `rank` is asked for."""
    known = spec.problem.is_target_known
    if not (known or "rank" in spec.record.metrics) or prod(spec.problem.shape) > MOST_RANKED_ENTRIES:
        return ()
    exist = {"rank": True, "target_rank": known, "linear_rank": spec.problem.observes_entries}
    return tuple(name for name, does in exist.items() if does)


def summary_metrics_of(spec: RunSpec) -> tuple[str, ...]:
    """Names of the SUMMARY_METRICS that apply to a run."""
    has_baseline = spec.problem.is_target_known and spec.problem.observes_entries
    own = () if spec.model.is_trained else OF_BASELINES
    return (*ranks_of(spec), *(("linear_reconstruction_error",) if has_baseline else ()), *own)


def _absent_metrics(spec: RunSpec) -> set[str]:
    shape = spec.problem.shape
    is_square = len(shape) == 2 and shape[0] == shape[1]
    applies = {
        **dict.fromkeys(_OF_MATRICES, len(shape) == 2),
        "unobserved_entry": unobserved_index(spec.problem) is not None,
        "distance_to_infimal_rank": infimal_rank(spec.problem) is not None,
        "determinant_sign": is_square,
        "log_abs_determinant": is_square,
        "balancedness_gap": len(shape) == 2 and len(spec.factor_shapes) > 1,
        "conservation_drift": spec.is_flow and len(spec.factor_shapes) > 1,
        "reconstruction_error": spec.problem.is_target_known,
        "entries": bool(spec.record.entries),
        "component_norms": spec.model.sums_components,
        **{name: name in spec.record.metrics for name in _WHEN_ASKED},
    }
    if not spec.model.is_trained:
        applies |= dict.fromkeys(_OF_DESCENTS, False)
    return {name for name, does in applies.items() if not does}


_OF_MATRICES = ("nuclear_norm", "spectral_norm", "effective_rank", "stable_rank", "singular_values")
_OF_DESCENTS = ("gradient_norm", "schatten_quasi_norm", "sharpness")
_WHEN_ASKED = (
    "determinant",
    "schatten_quasi_norm",
    "numerical_rank",
    "matricisation_ranks",
    "matricisation_effective_ranks",
    "sharpness",
)
