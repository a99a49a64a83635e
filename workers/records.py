"""Records: what crosses the border between the service and a worker. Plain data, no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt


class Outcome(StrEnum):
    """How a run ended."""

    CONVERGED = "converged"
    BUDGET_EXHAUSTED = "budget_exhausted"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to go on with a run.

    Attributes:
        step: steps taken so far.
        state: factors in row-major order, then the optimiser's vectors; one flat array in the run's precision.
        milestones: int64, see `workers.runs.milestones`.
        rank_search: int64, see `workers.lab.rank_search`; of a run that has descended and whose ranks are searched for.
    """

    step: int
    state: npt.NDArray[Any]
    milestones: npt.NDArray[np.int64]
    rank_search: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Member:
    """One run in a batch: its resolved spec as JSON, and where it stands (None before its first step)."""

    spec: str
    checkpoint: Checkpoint | None


@dataclass(frozen=True)
class Batch:
    """Runs that share a batch key and go through one slice together."""

    members: tuple[Member, ...]


@dataclass(frozen=True)
class Budget:
    """How much one slice may do: wall-clock seconds, and optionally steps per run."""

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
class RunProgress:
    """Where a run stands after a slice.

    Attributes:
        checkpoint: None when the run could not begin.
        outcome: None while the run is not finished.
        error: why the run cannot be run at all (its start does not exist, say); it is over then.
        summary: `steps`, `time`, `first_step_below`, `determinant_sign_changed_at`, and `SUMMARY_METRICS` of
            `workers.runs.metrics`, None until they are measured.
        last_point: position of the run's last point among the slice's points, None when it recorded none.
    """

    checkpoint: Checkpoint | None = None
    outcome: Outcome | None = None
    error: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])
    last_point: int | None = None


@dataclass(frozen=True)
class SliceResult:
    """What a worker gives back: progress of every member in order, their points, and what it cost."""

    progress: tuple[RunProgress, ...]
    points: Points
    seconds: float
    engine: str
    device: str


def joined(slices: Sequence[SliceResult]) -> SliceResult:
    """The result of a batch from those of its parts, in order."""
    parts = [one for one in slices if len(one.points.member)] or slices[:1]
    starts = np.cumsum([0, *[len(one.progress) for one in slices]])
    points_before = np.cumsum([0, *[len(one.points.member) for one in slices]]).tolist()
    members = [one.points.member + start for one, start in zip(slices, starts, strict=False)]
    columns = {name: np.concatenate([one.points.columns[name] for one in parts]) for name in parts[0].points.columns}
    progress = [
        one if one.last_point is None else replace(one, last_point=one.last_point + before)
        for part, before in zip(slices, points_before, strict=False)
        for one in part.progress
    ]
    points, seconds = Points(np.concatenate(members), columns), sum(one.seconds for one in slices)
    return SliceResult(tuple(progress), points, seconds, slices[0].engine, slices[0].device)
