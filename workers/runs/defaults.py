"""Defaults of a spec that depend on its model, filled in before it is checked."""

from typing import Any

UNUSED: dict[str, Any] = {
    "init": {"kind": "identity", "scale": 1.0},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1.0},
    "stop": {"max_steps": 0},
}
"""What a nuclear_norm, which does not descend, has in place of parts that were left out; none of it is ever used."""

_LOW_RANK = ("low_rank_completion", "low_rank_sensing")


def filled_in(spec: Any) -> Any:
    """A spec as JSON values with the defaults that its model brings; anything else comes back as it is."""
    if not isinstance(spec, dict):
        return spec
    match spec.get("model"):
        case {"kind": "nuclear_norm"}:
            return UNUSED | spec
        case {"kind": "symmetric_matrix"}:
            return {**spec, "problem": _symmetric(spec.get("problem"))} if "problem" in spec else spec
        case _:
            return spec


def _symmetric(problem: Any) -> Any:
    """A low rank problem whose target is symmetric unless it says otherwise: no other could be fitted."""
    match problem:
        case {"kind": kind, "shape": [rows, columns]} if kind in _LOW_RANK and rows == columns:
            return {"symmetric": True, **problem}
        case _:
            return problem
