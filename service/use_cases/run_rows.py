"""From a run's spec to its row: the spec whole, and by the fields that people filter on."""

from datetime import datetime
from math import prod
from typing import Any

from service.values.ids import new_id
from workers.runs.costs import batch_numbers, most_multiply_adds
from workers.runs.engines import batch_key
from workers.runs.shapes import halves_of
from workers.runs.spec import RunSpec


def run_row(spec: RunSpec, index: int, now: datetime, priority: int = 0, share: int = 0) -> dict[str, Any]:
    """Values of a new row of `runs`; `priority` and `share` (the id of its API key) are its experiment's."""
    return {
        "public_id": new_id(),
        "index": index,
        "status": "queued",
        "created_at": now,
        "batch_key": str(batch_key(spec)),
        "numbers": batch_numbers(spec),
        "max_multiply_adds": float(most_multiply_adds(spec)),
        "urgency": -priority,
        "share": share,
        "spec": spec.resolved(),
        **_filterable(spec),
    }


def _filterable(spec: RunSpec) -> dict[str, Any]:
    rows, columns = map(prod, halves_of(spec.problem.shape))
    return {
        "problem_kind": spec.problem.kind,
        "rows": rows,
        "columns": columns,
        "model_kind": spec.model.kind,
        "depth": getattr(spec.model, "depth", None),
        "components": spec.model.components(spec.problem.shape),
        "tensor_order": len(spec.problem.shape),
        "observed": spec.problem.observation_count,
        "loss_kind": spec.loss,
        "precision": spec.precision,
        "seed": spec.seed,
        **_of_the_descent(spec),
        **(_OF_NO_DESCENT if not spec.model.is_trained else {}),
    }


def _of_the_descent(spec: RunSpec) -> dict[str, Any]:
    start = spec.init
    return {
        "init_kind": start.kind,
        "init_std": getattr(start, "std", None),
        "init_std_of": getattr(start, "std_of", None),
        "init_scale": getattr(start, "scale", None),
        "balanced": getattr(start, "balanced", None),
        "determinant": getattr(start, "determinant", None),
        "optimizer_kind": spec.optimizer.kind,
        "learning_rate": getattr(spec.optimizer, "learning_rate", None),
        "max_steps": spec.stop.max_steps,
        "max_time": spec.stop.max_time,
        "loss_below": spec.stop.loss_below,
    }


_OF_NO_DESCENT = {
    "init_kind": "none",
    "optimizer_kind": "none",
    **dict.fromkeys(
        (
            "init_std",
            "init_std_of",
            "init_scale",
            "balanced",
            "determinant",
            "learning_rate",
            "max_steps",
            "loss_below",
        )
    ),
}
"""Columns of a run that is solved: what is posted beside it for the descents of its sweep is not a property of it."""
