"""The convex engine: solves runs that do not descend, one after another, and records what each solver passed."""

import numpy as np

from workers.lab.baselines.solutions import NotSolved, Solution
from workers.lab.baselines.solvers import solve
from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.product_loss import ProductLoss
from workers.runs.milestones import note_losses


def advance(descents: Descents, clock: Clock, device: str, snapshots: Snapshots | None = None) -> Snapshots:
    """Solve all unfinished runs on the CPU; the clock is ignored, since each solver has its own time limit."""
    snapshots = snapshots or Snapshots()
    for run in descents.unfinished():
        try:
            _enter(descents, int(run), solve(descents.specs[run]), snapshots)
        except NotSolved as error:
            descents.errors[int(run)] = str(error)
    return snapshots


def _enter(descents: Descents, run: int, solution: Solution, snapshots: Snapshots) -> None:
    """Enter a solution as the last point of its path, whose points are numbered from 0."""
    state, loss = descents.states[run], ProductLoss(descents.specs[run])
    path = np.array([matrix.ravel() for matrix in solution.path]).astype(state.dtype)
    state[: path.shape[1]] = path[-1]
    losses = np.array([loss.value(matrix) for matrix in solution.path])
    steps = np.arange(len(path), dtype=np.int64)
    if not descents.begun[run]:
        snapshots.add(np.full(len(path), run), steps, losses, path)
    note_losses(descents.milestones[run : run + 1], losses[:, None], steps[:1])
    descents.begun[run], descents.steps[run] = True, steps[-1]
    descents.outcomes[run], descents.findings[run] = solution.outcome, solution.findings
