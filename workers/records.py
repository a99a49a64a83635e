"""Records exchanged between the service and a worker: plain data, no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


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


@dataclass(frozen=True)
class Budget:
    """Limits of one slice: wall-clock seconds, and optionally steps per run."""

    seconds: float
    steps: int | None = None


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


@dataclass(frozen=True)
class SliceResult:
    """Result of one slice: progress of every member in order, their points, and the wall-clock seconds spent.

    Attributes:
        kept: the factors to be kept; None where no run of the batch keeps any.
        computed_with: versions and hardware (`workers.computed_with`); None before `run_slice` has added them.
    """

    progress: tuple[RunProgress, ...]
    points: Points
    seconds: float
    engine: str
    device: str
    kept: KeptFactors | None = None
    computed_with: Mapping[str, str | None] | None = None


def joined(slices: Sequence[SliceResult]) -> SliceResult:
    """The result of a batch, from the results of its parts in order."""
    points_before = np.cumsum([0, *[len(part.points.member) for part in slices]]).tolist()
    progress = [
        _moved(run, before) for part, before in zip(slices, points_before, strict=False) for run in part.progress
    ]
    seconds = sum(part.seconds for part in slices)
    engine, device = slices[0].engine, slices[0].device
    runs_before = np.cumsum([0, *[len(part.progress) for part in slices]]).tolist()
    points, kept = _joined_points(slices, runs_before), _joined_kept(slices, runs_before)
    return SliceResult(tuple(progress), points, seconds, engine, device, kept)


def _joined_kept(slices: Sequence[SliceResult], runs_before: Sequence[int]) -> KeptFactors | None:
    parts = [
        (part.kept.member + before, part.kept.step, part.kept.factors)
        for part, before in zip(slices, runs_before, strict=False)
        if part.kept is not None
    ]
    return KeptFactors(*map(np.concatenate, zip(*parts, strict=True))) if parts else None


def _joined_points(slices: Sequence[SliceResult], runs_before: Sequence[int]) -> Points:
    """The points of all parts, with members counted through the joined batch."""
    members = [part.points.member + before for part, before in zip(slices, runs_before, strict=False)]
    # A part without points has no columns, and none has columns that apply to none of its runs.
    parts = [part.points for part in slices if len(part.points.member)]
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Points(np.concatenate(members), {name: _joined_column(name, parts) for name in names})


def _joined_column(name: str, parts: Sequence[Points]) -> npt.NDArray[Any]:
    """A column of all parts, NaN for a part none of whose runs has it."""
    width = next(part.columns[name].shape[1:] for part in parts if name in part.columns)
    return np.concatenate([part.columns.get(name, np.full((len(part.member), *width), np.nan)) for part in parts])


def _moved(run: RunProgress, points_before: int) -> RunProgress:
    """The progress of a run whose part comes after `points_before` points of other parts."""
    return run if run.last_point is None else replace(run, last_point=run.last_point + points_before)
