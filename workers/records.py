"""Records exchanged between the service and a worker: plain data, no torch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workers.runs.milestones import milestone_summary, no_milestones

NO_POINT = -1
"""Position of a point that there is not."""


class Outcome(StrEnum):
    """How a run ended."""

    CONVERGED = "converged"
    BUDGET_EXHAUSTED = "budget_exhausted"
    DIVERGED = "diverged"


class PhaseEnd(NamedTuple):
    """Step and time at which a phase of a run ended."""

    step: int
    time: float


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to continue a run.

    Attributes:
        step: steps taken so far.
        state: factors in row-major order, then the optimiser's vectors; one flat array in the run's precision.
        milestones: int64, see `workers.runs.milestones`.
        rank_search: int64, see `workers.lab.rank_search`; only while the ranks of a finished descent are searched for.
        phase_ends: of the phases that are over; their number is that of the present phase.
    """

    step: int
    state: npt.NDArray[Any]
    milestones: npt.NDArray[np.int64]
    rank_search: npt.NDArray[np.int64] | None = None
    phase_ends: tuple[PhaseEnd, ...] = ()


@dataclass(frozen=True)
class Member:
    """One run of a batch.

    Attributes:
        spec: its resolved spec as JSON, without its long parts (`workers.runs.parts`).
        checkpoint: None before its first step.
        places: digests of the parts by their JSON pointers in the spec.
    """

    spec: str
    checkpoint: Checkpoint | None
    places: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Batch:
    """Runs that share a batch key and advance through one slice together.

    Attributes:
        parts: JSON of the long parts of their specs by digest, each once.
    """

    members: tuple[Member, ...]
    parts: Mapping[str, str] = field(default_factory=dict[str, str])

    def __reduce__(self) -> tuple[Callable[..., "Batch"], tuple[Any, ...]]:
        """In a message checkpoints are a few arrays, because every array costs a frame of its own."""
        specs = [member.spec for member in self.members]
        places = {run: member.places for run, member in enumerate(self.members) if member.places}
        begun = [(run, member.checkpoint) for run, member in enumerate(self.members) if member.checkpoint is not None]
        searches = {run: checkpoint.rank_search for run, checkpoint in begun if checkpoint.rank_search is not None}
        phase_ends = {run: checkpoint.phase_ends for run, checkpoint in begun if checkpoint.phase_ends}
        steps = np.array([checkpoint.step for _, checkpoint in begun], dtype=np.int64)
        states = _end_to_end([checkpoint.state for _, checkpoint in begun])
        milestones = _end_to_end([checkpoint.milestones for _, checkpoint in begun])
        runs = [run for run, _ in begun]
        return _batch, (specs, places, self.parts, runs, steps, states, milestones, searches, phase_ends)


_Ends = tuple[npt.NDArray[Any], npt.NDArray[np.int64]]


def _end_to_end(rows: Sequence[npt.NDArray[Any]]) -> _Ends:
    """Rows of equal or different lengths as a single array, and where each of them ends."""
    joined = np.concatenate(rows) if rows else np.zeros(0)
    return joined, np.cumsum([len(row) for row in rows], dtype=np.int64)


def _batch(
    specs: Sequence[str],
    places: Mapping[int, Mapping[str, str]],
    parts: Mapping[str, str],
    begun: Sequence[int],
    steps: npt.NDArray[np.int64],
    states: _Ends,
    milestones: _Ends,
    searches: Mapping[int, npt.NDArray[np.int64]],
    phase_ends: Mapping[int, tuple[PhaseEnd, ...]],
) -> Batch:
    rows = zip(begun, steps.tolist(), *(np.split(row, ends[:-1]) for row, ends in (states, milestones)), strict=False)
    checkpoints = {
        run: Checkpoint(step, state, marks, searches.get(run), phase_ends.get(run, ()))
        for run, step, state, marks in rows
    }
    members = (Member(spec, checkpoints.get(run), places.get(run, {})) for run, spec in enumerate(specs))
    return Batch(tuple(members), parts)


@dataclass(frozen=True)
class Budget:
    """Limits of one slice: wall-clock seconds, optionally steps per run, and cores, which change no bit of a result."""

    seconds: float
    steps: int | None = None
    cores: int = 1


@dataclass(frozen=True)
class Points:
    """Recorded points of a slice as columns.

    Attributes:
        member: position of the point's run in the batch, shape (points,).
        columns: `step`, `time` and every metric of `workers.runs.metrics` that applies to the batch's problem, shape
            (points,), or (points, width) of vectors.
    """

    member: npt.NDArray[np.int64]
    columns: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class KeptFactors:
    """Factors that runs keep by `record.factors`, as rows.

    Attributes:
        member: position of each row's run in the batch, (rows,).
        step: (rows,); of a flow, the number of the point.
        factors: (rows, trained numbers), in row-major order, in the runs' precision.
    """

    member: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    factors: npt.NDArray[Any]


@dataclass(frozen=True)
class RunProgress:
    """State of a run after a slice.

    Attributes:
        checkpoint: None when the run could not begin.
        outcome: None while the run is not finished.
        error: why the run failed (its start does not exist, say); a run with an error is over.
        summary: `steps`, `time`, `first_step_below`, `determinant_sign_changed_at`, and `SUMMARY_METRICS` of
            `workers.runs.metrics`, None until they are measured.
        last_point: position of the run's last point among the slice's points, None when it recorded none.
        batch_key, numbers: of the phase that the run goes on with, where that is another one: the key of its batches,
            and its weight in their size (`workers.runs.costs.batch_numbers`).
    """

    checkpoint: Checkpoint | None = None
    outcome: Outcome | None = None
    error: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])
    last_point: int | None = None
    batch_key: str | None = None
    numbers: int | None = None


def _summary(step: int, milestones: npt.NDArray[np.int64]) -> dict[str, Any]:
    return {"steps": step, **milestone_summary(milestones)}


class NextPhase(NamedTuple):
    """Where a run goes on with another phase: the key of its batches, and its weight in their size."""

    batch_key: str
    numbers: int


_OF_CHECKPOINTS = frozenset(_summary(0, no_milestones(1)[0]))
"""Names of what a summary takes from the checkpoint."""


@dataclass(frozen=True)
class Progress:
    """Progress of all runs of a batch, as columns, because arrays cost a message and the store nearly nothing per run.

    An item is the progress of a single run.

    Attributes:
        begun: bool (runs,), whether a run has a checkpoint; without it step, state and milestones mean nothing.
        step: int64 (runs,).
        state: (runs, numbers) in the runs' precision; a shorter state ends before its row does.
        state_numbers: int64 (runs,), the lengths of the states, which differ where runs go on with other optimisers.
        milestones: int64 (runs, width).
        last_point: int64 (runs,), NO_POINT of a run that recorded none.
        outcome: one for each run, None while it is not finished.
        rank_search, error, phase_ends, next_phase: those of the runs that have one, by position.
        findings: what all summaries hold beside steps and milestones, one value for each run under each name.
        more: what only some summaries hold, by position and name.
    """

    begun: npt.NDArray[np.bool_]
    step: npt.NDArray[np.int64]
    state: npt.NDArray[Any]
    state_numbers: npt.NDArray[np.int64]
    milestones: npt.NDArray[np.int64]
    last_point: npt.NDArray[np.int64]
    outcome: Sequence[Outcome | None]
    rank_search: Mapping[int, npt.NDArray[np.int64]]
    error: Mapping[int, str]
    phase_ends: Mapping[int, tuple[PhaseEnd, ...]]
    next_phase: Mapping[int, NextPhase]
    findings: Mapping[str, Sequence[Any]]
    more: Mapping[int, Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.begun)

    def __getitem__(self, run: int) -> RunProgress:
        if not -len(self) <= run < len(self):
            raise IndexError(run)
        run %= len(self)
        if not self.begun[run]:
            return RunProgress(error=self.error.get(run))
        step, last_point = int(self.step[run]), int(self.last_point[run])
        found = {name: column[run] for name, column in self.findings.items()}
        state, ends = self.states([run])[0], self.phase_ends.get(run, ())
        return RunProgress(
            Checkpoint(step, state, self.milestones[run], self.rank_search.get(run), ends),
            self.outcome[run],
            self.error.get(run),
            {**_summary(step, self.milestones[run]), **found, **self.more.get(run, {})},
            None if last_point == NO_POINT else last_point,
            *self.next_phase.get(run, (None, None)),
        )

    def __iter__(self) -> Iterator[RunProgress]:
        return map(self.__getitem__, range(len(self)))

    def states(self, runs: Sequence[int]) -> list[npt.NDArray[Any]]:
        """The states of the runs at some positions, each in its length."""
        return [self.state[run, :numbers] for run, numbers in zip(runs, self.state_numbers[runs].tolist(), strict=True)]

    def over_borders(self, rows: Mapping[int, RunProgress]) -> "Progress":
        """This progress with that of runs that enter another phase, where step, points and summary stay.

        Args:
            rows: their progress by position; all of them have checkpoints.
        """
        states = self.states(range(len(self)))
        milestones, outcome = self.milestones.copy(), list(self.outcome)
        for run, row in rows.items():
            assert row.checkpoint is not None
            states[run], milestones[run], outcome[run] = row.checkpoint.state, row.checkpoint.milestones, row.outcome
        state, numbers = _side_by_side(states)
        return replace(
            self,
            state=state,
            state_numbers=numbers,
            milestones=milestones,
            outcome=outcome,
            phase_ends={**self.phase_ends, **_phase_ends(rows)},
            next_phase={**self.next_phase, **_next_phases(rows)},
        )

    @classmethod
    def of(cls, rows: Sequence[RunProgress]) -> "Progress":
        """The columns of rows."""
        checkpoints, numbered = [row.checkpoint for row in rows], dict(enumerate(rows))
        like = next((one for one in checkpoints if one is not None), Checkpoint(0, np.zeros(0), no_milestones(1)[0]))
        blank = Checkpoint(0, np.zeros_like(like.state), np.zeros_like(like.milestones))
        filled = [one or blank for one in checkpoints]
        state, numbers = _side_by_side([one.state for one in filled])
        findings, more = columns_of_findings(
            None
            if row.checkpoint is None
            else {name: value for name, value in row.summary.items() if name not in _OF_CHECKPOINTS}
            for row in rows
        )
        return cls(
            begun=np.array([one is not None for one in checkpoints]),
            step=np.array([one.step for one in filled], dtype=np.int64),
            state=state,
            state_numbers=numbers,
            milestones=np.array([one.milestones for one in filled]),
            last_point=np.array([NO_POINT if row.last_point is None else row.last_point for row in rows]),
            outcome=[row.outcome for row in rows],
            rank_search={run: one.rank_search for run, one in enumerate(filled) if one.rank_search is not None},
            error={run: row.error for run, row in enumerate(rows) if row.error is not None},
            phase_ends=_phase_ends(numbered),
            next_phase=_next_phases(numbered),
            findings=findings,
            more=more,
        )


def columns_of_findings(
    found: Iterable[Mapping[str, Any] | None],
) -> tuple[dict[str, list[Any]], dict[int, dict[str, Any]]]:
    """Findings of runs, None of those that have not begun, as `Progress.findings` and `Progress.more`."""
    rows = list(found)
    begun = [row for row in rows if row is not None]
    shared = [name for name in begun[0] if all(name in row for row in begun)] if begun else []
    columns = {name: [None if row is None else row[name] for row in rows] for name in shared}
    more = {
        run: {name: value for name, value in row.items() if name not in columns}
        for run, row in enumerate(rows)
        if row is not None and len(row) > len(shared)
    }
    return columns, more


def _side_by_side(states: Sequence[npt.NDArray[Any]]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """States as the rows of a single array, (runs, most numbers), and their lengths, (runs,)."""
    numbers = np.array([len(state) for state in states], dtype=np.int64)
    if not len(states) or (numbers == numbers[0]).all():
        return np.array(states), numbers
    rows = np.zeros((len(states), numbers.max()), dtype=np.result_type(*{state.dtype for state in states}))
    for row, state in zip(rows, states, strict=True):
        row[: len(state)] = state
    return rows, numbers


def _phase_ends(rows: Mapping[int, RunProgress]) -> dict[int, tuple[PhaseEnd, ...]]:
    checkpoints = ((run, row.checkpoint) for run, row in rows.items())
    return {run: one.phase_ends for run, one in checkpoints if one is not None and one.phase_ends}


def _next_phases(rows: Mapping[int, RunProgress]) -> dict[int, NextPhase]:
    nexts = ((run, row.batch_key, row.numbers) for run, row in rows.items())
    return {run: NextPhase(key, numbers) for run, key, numbers in nexts if key is not None and numbers is not None}


@dataclass(frozen=True)
class SliceResult:
    """Result of one slice: progress of every member in order, their points, and the wall-clock seconds spent.

    Attributes:
        kept: the factors to be kept; None where no run of the batch keeps any.
        computed_with: versions and hardware (`workers.computed_with`); None before `run_slice` has added them.
    """

    progress: Progress
    points: Points
    seconds: float
    engine: str
    device: str
    kept: KeptFactors | None = None
    computed_with: Mapping[str, str | None] | None = None
