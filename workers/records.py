"""What the service sends a worker: plain data, no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
