"""Execution of a slice: specs and checkpoints to descents, through an engine, to points and progress."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from workers.lab.engines.descent import engine as torch_engine
from workers.lab.engines.descents import Clock, Descents, Engine, Snapshots
from workers.lab.engines.flow import engine as flow
from workers.lab.engines.flow.state import flow_summary
from workers.lab.metrics.matrix import matrix_metrics
from workers.lab.metrics.tensor import tensor_metrics
from workers.lab.rank_search import Search, is_done, outcome_of, search_ranks, search_summary
from workers.records import Batch, Budget, Checkpoint, Member, Points, RunProgress, SliceResult, joined
from workers.runs.costs import state_numbers
from workers.runs.engines import engine_of
from workers.runs.initializers import starting_factors
from workers.runs.milestones import milestone_summary, no_milestones, note_determinant_signs, widened
from workers.runs.spec import RunSpec
from workers.runs.starts import StartError

torch.set_num_threads(1)  # two intra-op threads on busy cores make a 0.2 ms step take 25 ms


def execute(batch: Batch, budget: Budget) -> SliceResult:
    """See `workers.slices.run_slice`; a batch that a GPU's memory does not hold is computed in halves."""
    try:
        return _execute(batch, budget)
    except torch.OutOfMemoryError:
        if len(batch.members) == 1:
            raise
    half, less = (len(batch.members) + 1) // 2, Budget(budget.seconds / 2, budget.steps)
    return joined([execute(Batch(part), less) for part in (batch.members[:half], batch.members[half:])])


def _execute(batch: Batch, budget: Budget) -> SliceResult:
    started = time.perf_counter()
    specs = [parse_spec(member.spec) for member in batch.members]
    checkpoints = [_checkpoint(spec, member) for spec, member in zip(specs, batch.members, strict=True)]
    runnable = {i: one for i, one in enumerate(checkpoints) if isinstance(one, Checkpoint)}
    descents = _descents([specs[i] for i in runnable], batch, runnable)
    engine, device, clock = engine_of(specs[0]), _device(specs[0]), Clock(budget)
    searches = search_ranks(descents, [one.rank_search for one in runnable.values()], Clock(_half(budget)), least=1)
    snapshots = _advance(engine)(descents, clock, device) if runnable else Snapshots()
    points = _points(descents, snapshots)
    searches = search_ranks(descents, searches, clock)
    reached = dict(zip(runnable, _progress(descents, points, searches), strict=True))
    progress = tuple(
        reached[i] if isinstance(one, Checkpoint) else RunProgress(error=one) for i, one in enumerate(checkpoints)
    )
    points = Points(np.array(list(runnable), dtype=np.int64)[points.member], points.columns)
    return SliceResult(progress, points, time.perf_counter() - started, engine, device)


def _half(budget: Budget) -> Budget:
    """What searches that are under way may take before the descents of a batch go on."""
    return Budget(budget.seconds / 2)


def _advance(engine: str) -> Engine:
    """An engine by its name; Warp and cvxpy are loaded by the first batch that needs them."""
    if engine == "torch":
        return torch_engine.advance
    if engine == "flow":
        return flow.advance
    if engine == "convex":
        from workers.lab.engines import convex

        return convex.advance
    from workers.lab.engines.fused import engine as fused

    return fused.advance


def _device(spec: RunSpec) -> str:
    """Where a batch is computed: where it asks to be, else on a GPU if this worker has one; solvers know CPUs only."""
    if not spec.descends:
        return "cpu"
    if spec.device != "auto":
        return spec.device
    return "cuda" if torch.cuda.is_available() else "cpu"


@lru_cache(maxsize=20_000)
def parse_spec(spec: str) -> RunSpec:
    """A resolved spec from its JSON; runs come back slice after slice, so parsed specs are kept."""
    return RunSpec.model_validate_json(spec)


def _checkpoint(spec: RunSpec, member: Member) -> Checkpoint | str:
    """Where a run stands, its start when it has not begun, or why it cannot begin."""
    if _device(spec) == "cuda" and not torch.cuda.is_available():
        return "This worker has no CUDA device; ask for the device 'auto' or 'cpu', or start a worker that has one."
    if member.checkpoint is not None:
        return member.checkpoint
    try:
        factors = starting_factors(spec)
    except StartError as error:
        return str(error)
    state = np.zeros(state_numbers(spec), dtype=spec.precision)
    flat = np.concatenate([factor.ravel() for factor in factors])
    state[: len(flat)] = flat
    return Checkpoint(0, state, no_milestones(1)[0])


def _descents(specs: Sequence[RunSpec], batch: Batch, checkpoints: Mapping[int, Checkpoint]) -> Descents:
    standing = list(checkpoints.values())
    return Descents(
        specs=specs,
        steps=np.array([one.step for one in standing], dtype=np.int64),
        states=np.array([one.state for one in standing]),
        milestones=np.array([widened(one.milestones) for one in standing]),
        begun=np.array([batch.members[i].checkpoint is not None for i in checkpoints]),
        outcomes=[None if one.rank_search is None else outcome_of(one.rank_search) for one in standing],
    )


def _points(descents: Descents, snapshots: Snapshots) -> Points:
    """Snapshots with all their metrics, ordered by run and step."""
    if not snapshots.step:
        return Points(np.zeros(0, dtype=np.int64), {})
    member, step = np.concatenate(snapshots.member), np.concatenate(snapshots.step)
    order = np.lexsort((step, member))
    member, step = member[order], step[order]
    known = {name: np.concatenate([one[name] for one in snapshots.known])[order] for name in snapshots.known[0]}
    carried = known.pop("carried_determinant", None)
    paces = np.array([spec.time_of_a_step for spec in descents.specs])
    columns = {
        "step": step,
        "time": step * paces[member],
        "loss": np.concatenate(snapshots.loss)[order].astype(np.float64),
        **known,
        **_metrics(descents.specs, member, np.concatenate(snapshots.factors)[order], carried),
    }
    return Points(member, columns)


def _metrics(
    specs: Sequence[RunSpec],
    member: npt.NDArray[np.int64],
    per_point: npt.NDArray[Any],
    carried: npt.NDArray[Any] | None,
) -> dict[str, Any]:
    if specs[0].model.sums_components:
        return tensor_metrics(specs, member, per_point)
    return matrix_metrics(specs, member, per_point, carried)


def _progress(descents: Descents, points: Points, searches: Sequence[Search | None]) -> list[RunProgress]:
    first, last = (np.searchsorted(points.member, np.arange(len(descents.specs)), side) for side in ("left", "right"))
    signs = points.columns.get("determinant_sign")
    progress: list[RunProgress] = []
    for run, (begin, end) in enumerate(zip(first, last, strict=True)):
        if signs is not None:
            note_determinant_signs(descents.milestones[run], points.columns["step"][begin:end], signs[begin:end])
        progress.append(_run_progress(descents, run, int(end) - 1 if end > begin else None, searches[run]))
    return progress


def _run_progress(descents: Descents, run: int, last_point: int | None, search: Search | None) -> RunProgress:
    if not descents.begun[run]:
        return RunProgress(error=descents.errors.get(run))
    spec, step, milestones = descents.specs[run], int(descents.steps[run]), descents.milestones[run]
    searching = search is not None and not is_done(spec, search)
    at = {"time": step * spec.time_of_a_step, "drift_exceeded_at": None}
    if spec.is_flow:
        at = flow_summary(descents.states[run])
    return RunProgress(
        checkpoint=Checkpoint(step, descents.states[run], milestones, search if searching else None),
        outcome=None if searching else descents.outcomes[run],
        error=descents.errors.get(run),
        summary={
            "steps": step,
            **at,
            **milestone_summary(milestones),
            **search_summary(spec, search),
            **descents.findings.get(run, {}),
        },
        last_point=last_point,
    )
