"""From a run's spec to its row: the spec whole, and by the fields that people filter on."""

from datetime import datetime
from math import prod
from typing import Any

from service.ids import new_id
from workers.batching import batch_key
from workers.costs import batch_numbers, most_multiply_adds
from workers.specs import RunSpec
from workers.specs.models import CpTensor, halves_of
from workers.specs.problems import observation_count


def run_row(spec: RunSpec, index: int, now: datetime) -> dict[str, Any]:
    """Values of a new row of `runs`."""
    return {
        "public_id": new_id(),
        "index": index,
        "status": "queued",
        "created_at": now,
        "batch_key": batch_key(spec),
        "numbers": batch_numbers(spec),
        "max_multiply_adds": float(most_multiply_adds(spec)),
        "spec": spec.resolved(),
        **_filterable(spec),
    }


def _filterable(spec: RunSpec) -> dict[str, Any]:
    rows, columns = map(prod, halves_of(spec.problem.shape))
    start = spec.init
    return {
        "problem_kind": spec.problem.kind,
        "rows": rows,
        "columns": columns,
        "model_kind": spec.model.kind,
        "depth": getattr(spec.model, "depth", None),
        "components": spec.factor_shapes[0][1] if isinstance(spec.model, CpTensor) else None,
        "tensor_order": len(spec.problem.shape),
        "observed": observation_count(spec.problem),
        "init_kind": start.kind,
        "init_std": getattr(start, "std", None),
        "init_std_of": getattr(start, "std_of", None),
        "init_scale": getattr(start, "scale", None),
        "balanced": getattr(start, "balanced", None),
        "determinant": getattr(start, "determinant", None),
        "optimizer_kind": spec.optimizer.kind,
        "learning_rate": spec.optimizer.learning_rate,
        "max_steps": spec.stop.max_steps,
        "loss_below": spec.stop.loss_below,
        "loss_kind": spec.loss,
        "precision": spec.precision,
        "seed": spec.seed,
    }
