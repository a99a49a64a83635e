"""The only entry point of workers: `run_slice` advances a batch of runs by one slice.

torch is imported at the first call, so the dispatcher can refer to this function without loading torch.
"""

from dataclasses import replace
from importlib import import_module

from workers.records import Batch, Budget
from workers.results import SliceResult


def load() -> None:
    """Import torch and all that computes slices, which the first call of `run_slice` does otherwise."""
    import_module("workers.lab.execution")


def run_slice(batch: Batch, budget: Budget) -> SliceResult:
    """Advance every run of a batch until it is over or the budget is spent.

    Args:
        batch: runs that share a batch key.
        budget: wall-clock seconds, and optionally steps per run.

    Returns:
        Progress of every member in order, and the points recorded on the way. A run's results do not depend on where
        it is cut into slices.
    """
    from workers.computed_with import computed_with
    from workers.lab.execution import execute

    result = execute(batch, budget)
    return replace(result, computed_with=computed_with(result.device))
