"""The convex engine: solves runs that do not descend, one after another, and records one point at step 0 of each."""

import numpy as np

from workers.lab.baselines.nuclear_norm import NotSolved, Solution, minimise_nuclear_norm
from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.product_loss import ProductLoss
from workers.records import Outcome
from workers.runs.milestones import note_losses
from workers.runs.models.nuclear_norm import NuclearNorm


def advance(descents: Descents, clock: Clock, device: str, snapshots: Snapshots | None = None) -> Snapshots:
    """Solve all unfinished runs on the CPU; the clock is ignored, since each solver has its own time limit."""
    snapshots = snapshots or Snapshots()
    for run in descents.unfinished():
        spec = descents.specs[run]
        assert isinstance(spec.model, NuclearNorm)
        try:
            _enter(descents, int(run), minimise_nuclear_norm(spec.problem, spec.model), snapshots)
        except NotSolved as error:
            descents.errors[int(run)] = str(error)
    return snapshots


def _enter(descents: Descents, run: int, solution: Solution, snapshots: Snapshots) -> None:
    state = descents.states[run]
    state[: solution.matrix.size] = solution.matrix.ravel()
    loss, step = np.array([ProductLoss(descents.specs[run]).value(solution.matrix)]), np.zeros(1, dtype=np.int64)
    if not descents.begun[run]:
        snapshots.add(np.array([run]), step, loss, state[None, : solution.matrix.size].copy())
    note_losses(descents.milestones[run : run + 1], loss[None], step)
    descents.begun[run] = True
    descents.outcomes[run] = Outcome.CONVERGED
    descents.findings[run] = {
        "solver": solution.solver,
        "duality_gap": solution.duality_gap,
        "constraint_violation": solution.constraint_violation,
    }
