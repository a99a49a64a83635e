"""The penalty of weight decay at recorded points, and the objective: the loss with the penalty."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.runs.spec import RunSpec

Column = npt.NDArray[Any]

NAMES = frozenset({"objective"})
"""Of the metrics that are measured here."""


def objective_columns(
    specs: Sequence[RunSpec], member: npt.NDArray[np.int64], loss: Column, factors: Column
) -> dict[str, Column]:
    """`objective` (points,), NaN for a run without weight decay; no column where no run has one.

    Args:
        specs: the batch.
        member: (points,), position of each point's run in the batch.
        loss: (points,).
        factors: (points, trained numbers).
    """
    if not any(spec.decays for spec in specs):
        return {}
    weights = np.array([spec.optimizer.weight_decay if spec.decays else np.nan for spec in specs])[member]
    with np.errstate(over="ignore", invalid="ignore"):
        return {"objective": loss + weights / 2 * squared_norms(factors)}


def squared_norms(factors: Column) -> Column:
    """Sum of squares of all factors' entries, (points,), entry after entry: no point depends on those beside it."""
    total = np.zeros(len(factors))
    for entry in factors.astype(np.float64).T:
        total += entry * entry
    return total
