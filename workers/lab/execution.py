"""Execution of a slice: specs and checkpoints become descents, which an engine turns into points and progress."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np
import orjson
import torch
from cachetools import LRUCache, cached

from workers.joining import joined
from workers.lab.borders import Phased, crossed, is_over, of_phases
from workers.lab.engines.descent import engine as torch_engine
from workers.lab.engines.descents import Clock, Descents, Engine, EngineUnavailable, carried_times
from workers.lab.engines.flow import engine as flow
from workers.lab.engines.flow.state import flow_summary
from workers.lab.measuring import MeasuredSnapshots
from workers.lab.rank_search import Search, is_done, outcome_of, search_ranks, search_summary
from workers.records import Batch, Budget, Checkpoint, Member, Outcome
from workers.results import NO_POINT, KeptFactors, Points, Progress, RunProgress, SliceResult, columns_of_findings
from workers.runs.costs import batch_numbers, state_numbers
from workers.runs.engines import EngineName, batch_key, engine_of, exceeds_threads
from workers.runs.initializers import starting_factors
from workers.runs.milestones import no_milestones, note_determinant_signs, widened
from workers.runs.parts import Parts, Pieces
from workers.runs.phases import present_spec
from workers.runs.reading import StoredReader
from workers.runs.spec import RunSpec, times_at
from workers.runs.starts import StartError

CHARACTERS_KEPT = 2**26
"""JSON of the specs that a worker keeps: of 100 000 small runs, or of a few with many observations."""
_log = logging.getLogger(__name__)


def execute(batch: Batch, budget: Budget) -> SliceResult:
    """See `workers.slices.run_slice`; a batch that does not fit a GPU's memory is computed in halves."""
    try:
        return _execute(batch, budget)
    except torch.OutOfMemoryError:
        if len(batch.members) == 1:
            raise
    middle, half_budget = (len(batch.members) + 1) // 2, Budget(budget.seconds / 2, budget.steps, budget.cores)
    halves = (replace(batch, members=half) for half in (batch.members[:middle], batch.members[middle:]))
    return joined([execute(half, half_budget) for half in halves])


def _execute(batch: Batch, budget: Budget) -> SliceResult:
    started = time.perf_counter()
    parts = Parts(batch.parts)
    runs = [_phased(_parse(member, parts).spec, member.checkpoint) for member in batch.members]
    specs = [present_spec(run.whole, run.ends) for run in runs]
    starts = [_checkpoint(spec, member) for spec, member in zip(specs, batch.members, strict=True)]
    checkpoints = {position: start for position, start in enumerate(starts) if isinstance(start, Checkpoint)}
    engine, device = _engine_and_device(specs[0])
    descents = _descents([specs[position] for position in checkpoints], batch, checkpoints)
    searches = [checkpoint.rank_search for checkpoint in checkpoints.values()]
    begun = [runs[position] for position in checkpoints]
    progress, points, kept, engine = _advance_descents(descents, begun, searches, budget, engine, device)
    positions = np.array(list(checkpoints), dtype=np.int64)
    return SliceResult(
        progress=progress if len(positions) == len(starts) else _with_errors(progress, starts),
        points=Points(positions[points.member], points.columns),
        kept=kept and replace(kept, member=positions[kept.member]),
        seconds=time.perf_counter() - started,
        engine=engine,
        device=device,
    )


def _with_errors(progress: Progress, starts: Sequence[Checkpoint | str]) -> Progress:
    """The progress of a batch, from that of its runs that have a start, and why the others have none."""
    begun = iter(progress)
    return Progress.of([RunProgress(error=start) if isinstance(start, str) else next(begun) for start in starts])


def _advance_descents(
    descents: Descents,
    runs: Sequence[Phased],
    searches: Sequence[Search | None],
    budget: Budget,
    engine: EngineName,
    device: str,
) -> tuple[Progress, Points, KeptFactors | None, EngineName]:
    """Advance descents and rank searches within a budget.

    Returns:
        Progress per run, points and factors to be kept by position in `descents`, and the engine that was used.

    Searches that are under way come first and may take half of the time; those of descents that end come last. A run
    is searched for ranks at the end of its last phase.
    """
    clock = Clock(budget)
    searches = search_ranks(descents, searches, Clock(Budget(budget.seconds / 2)), least=1)
    snapshots = MeasuredSnapshots(descents.specs)
    if descents.specs:
        engine = _advance_by(engine, descents, clock, device, snapshots)
    points = of_phases(runs, snapshots.points())
    going_on = [number for number, run in enumerate(runs) if run.goes_on(descents.outcomes[number])]
    for number in going_on:
        descents.outcomes[number] = None
    searches = search_ranks(descents, searches, clock)
    progress = _progress(descents, runs, points, searches)
    if going_on:
        specs = descents.specs
        progress = progress.over_borders(
            {number: _into_next_phase(runs[number], specs[number], progress[number]) for number in going_on}
        )
    return progress, points, snapshots.all_kept(), engine


def _into_next_phase(run: Phased, spec: RunSpec, progress: RunProgress) -> RunProgress:
    """The progress of a run whose phase has ended, and which another phase follows."""
    assert progress.checkpoint is not None
    checkpoint = crossed(run, spec, progress.checkpoint, progress.summary["time"])
    further = replace(run, ends=checkpoint.phase_ends)
    follows = present_spec(run.whole, further.ends)
    return replace(
        progress,
        checkpoint=checkpoint,
        outcome=Outcome.BUDGET_EXHAUSTED if is_over(further) else None,
        batch_key=str(batch_key(follows)),
        numbers=batch_numbers(follows),
    )


def _advance_by(
    engine: EngineName, descents: Descents, clock: Clock, device: str, snapshots: MeasuredSnapshots
) -> EngineName:
    """Advance by an engine, or by torch where it cannot work; returns the name of the engine that did."""
    try:
        _advance(engine)(descents, clock, device, snapshots)
    except EngineUnavailable as error:
        _log.warning("The engine %s gives way to torch: %s", engine, error)
        torch_engine.advance(descents, clock, device, snapshots)
        return "torch"
    return engine


def _advance(engine: EngineName) -> Engine:
    """An engine by its name; the first batch that needs Warp or cvxpy loads it."""
    match engine:
        case "torch":
            return torch_engine.advance
        case "flow":
            return flow.advance
        case "fused":
            from workers.lab.engines.fused import engine as fused

            return fused.advance
        case "convex":
            from workers.lab.engines import convex

            return convex.advance
        case _:
            assert_never(engine)


def _engine_and_device(spec: RunSpec) -> tuple[EngineName, str]:
    """Engine and device of a batch on this worker.

    On a worker with a GPU, torch computes what is too large for its threads; the CPU does where a spec names `fused`.
    """
    engine, device = engine_of(spec), _device(spec)
    if engine == "fused" and device == "cuda" and exceeds_threads(spec):
        return ("fused", "cpu") if spec.engine == "fused" else ("torch", device)
    return engine, device


def _device(spec: RunSpec) -> str:
    """Device of a batch: the one in its specs, otherwise a GPU if this worker has one; solvers use the CPU only."""
    if not spec.descends:
        return "cpu"
    if spec.device != "auto":
        return spec.device
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class _Parsed:
    spec: RunSpec
    size: int


def _size(parsed: _Parsed) -> int:
    return parsed.size


_reader = StoredReader(CHARACTERS_KEPT)


def _key(member: Member, _parts: Parts) -> tuple[Any, ...]:
    return member.spec, *member.places.items()


@cached(LRUCache(CHARACTERS_KEPT, getsizeof=_size), key=_key)
def _parse(member: Member, parts: Parts) -> _Parsed:
    """A run's spec, kept because runs return slice after slice."""
    if not member.places:
        return _Parsed(RunSpec.model_validate_json(member.spec), len(member.spec))
    pieces = Pieces(orjson.loads(member.spec), member.places, parts)
    return _Parsed(_reader.read(pieces), len(member.spec) + pieces.long_characters)


def _phased(spec: RunSpec, checkpoint: Checkpoint | None) -> Phased:
    return Phased(spec, checkpoint.phase_ends if checkpoint is not None else ())


def _checkpoint(spec: RunSpec, member: Member) -> Checkpoint | str:
    """A run's checkpoint, one at step 0 when it has not begun, or why it cannot begin."""
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
    """The descents of the runs with checkpoints, which are given by position in the batch."""
    searches = [checkpoint.rank_search for checkpoint in checkpoints.values()]
    return Descents(
        specs=specs,
        steps=np.array([checkpoint.step for checkpoint in checkpoints.values()], dtype=np.int64),
        states=np.array([checkpoint.state for checkpoint in checkpoints.values()]),
        milestones=np.array([widened(checkpoint.milestones) for checkpoint in checkpoints.values()]),
        begun=np.array([batch.members[position].checkpoint is not None for position in checkpoints]),
        # Only a descent that has ended has a rank search.
        outcomes=[None if search is None else outcome_of(search) for search in searches],
    )


def _progress(
    descents: Descents, runs: Sequence[Phased], points: Points, searches: Sequence[Search | None]
) -> Progress:
    """Progress of every run; enters the determinant signs of its points into its milestones."""
    numbers = np.arange(len(descents.specs))
    first, end = (np.searchsorted(points.member, numbers, side) for side in ("left", "right"))
    if (signs := points.columns.get("determinant_sign")) is not None:
        for run, (begin, over) in enumerate(zip(first.tolist(), end.tolist(), strict=True)):
            note_determinant_signs(descents.milestones[run], points.columns["step"][begin:over], signs[begin:over])
    searching = {
        run: search
        for run, (spec, search) in enumerate(zip(descents.specs, searches, strict=True))
        if search is not None and not is_done(spec, search)
    }
    recorded = (end > first).tolist()
    findings, more = columns_of_findings(
        {**_found(descents, run, search), **(runs[run].lacking(descents.specs[run]) if recorded[run] else {})}
        if descents.begun[run]
        else None
        for run, search in enumerate(searches)
    )
    return Progress(
        begun=descents.begun,
        step=descents.steps,
        state=descents.states,
        state_numbers=np.full(len(numbers), descents.states.shape[-1]),
        milestones=descents.milestones,
        last_point=np.where(end > first, end - 1, NO_POINT),
        outcome=[None if run in searching else outcome for run, outcome in enumerate(descents.outcomes)],
        rank_search=searching,
        error=descents.errors,
        phase_ends={number: run.ends for number, run in enumerate(runs) if run.ends},
        next_phase={},
        findings=findings,
        more=more,
    )


def _found(descents: Descents, run: int, search: Search | None) -> dict[str, Any]:
    """What the summary of a run that has begun holds beside what its checkpoint does."""
    spec = descents.specs[run]
    times = (
        flow_summary(descents.states[run])
        if spec.is_flow
        else {"time": _time(descents, run), "drift_exceeded_at": None}
    )
    return {**times, **search_summary(spec, search), **descents.findings.get(run, {})}


def _time(descents: Descents, run: int) -> float:
    """The sum of the rates of all steps that a descent has taken."""
    spec = descents.specs[run]
    at = carried_times(descents.states[[run]]) if spec.carries_time else times_at(spec, descents.steps[[run]])
    return float(at[0])
