"""The default of models of symmetric matrices for the target beside them."""

from collections.abc import Mapping
from typing import Any

from workers.runs.problems import PROBLEMS, LowRank

_LOW_RANK_KINDS = tuple(kind for kind, problem in PROBLEMS.items() if issubclass(problem, LowRank))


def with_symmetric_target(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run whose square low rank target is symmetric unless it says otherwise: no other target could be fitted."""
    match run.get("problem"):
        case {"kind": kind, "shape": [rows, columns]} if kind in _LOW_RANK_KINDS and rows == columns:
            return {**run, "problem": {"symmetric": True, **run["problem"]}}
        case _:
            return dict(run)
