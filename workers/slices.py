"""The one entry: `run_slice` carries a batch of runs through one slice of descent.

torch is loaded at the first call, so that the dispatcher can name this function without paying for torch.
"""

from workers.records import Batch, Budget, SliceResult


def run_slice(batch: Batch, budget: Budget) -> SliceResult:
    """Advance every run of a batch until it is over or the budget is spent.

    Args:
        batch: runs that share a batch key.
        budget: wall-clock seconds, and optionally steps per run.

    Returns:
        Progress of every member in order and the points recorded on the way. Cutting a run into slices anywhere does
        not change it.
    """
    from workers.lab.execution import execute

    return execute(batch, budget)
