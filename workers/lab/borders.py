"""Borders between the phases of runs: what of a state is carried over, and what belongs to which phase.

An engine sees the plain spec of the present phase (`workers.runs.phases.present_spec`). A run whose phase ends leaves
the batch, as one that is over does; its checkpoint is that of its next phase, whose batches may have another key.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.records import Checkpoint, Outcome, PhaseEnd
from workers.results import Points
from workers.runs.costs import state_numbers, trained_numbers
from workers.runs.metrics import metrics_of
from workers.runs.milestones import of_next_phase
from workers.runs.optimizers import TIME_SCALARS
from workers.runs.phases import begin_of, present_spec
from workers.runs.spec import RunSpec


@dataclass(frozen=True)
class Phased:
    """A run and the phase in which it is.

    Attributes:
        whole: its spec with all phases.
        ends: of the phases before.
    """

    whole: RunSpec
    ends: tuple[PhaseEnd, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether no phase follows."""
        return len(self.ends) == len(self.whole.phases or ())

    def goes_on(self, outcome: Outcome | None) -> bool:
        """Whether the next phase begins, as this one has ended with `outcome`."""
        return outcome in (Outcome.CONVERGED, Outcome.BUDGET_EXHAUSTED) and not self.is_last

    def lacking(self, spec: RunSpec) -> dict[str, None]:
        """The metrics that the run has in other phases but not in the present one, whose plain spec is `spec`."""
        if self.whole.phases is None:
            return {}
        return dict.fromkeys(name for name in metrics_of(self.whole) if name not in (*metrics_of(spec), "phase"))


def of_phases(runs: Sequence[Phased], points: Points) -> Points:
    """The points with the column `phase`, where some run has phases, less those that belong to the phase before.

    A run that leaves the finite numbers with the first step of a phase has no other state in it than that before.
    """
    if not len(points.member) or all(run.whole.phases is None for run in runs):
        return points
    numbers = np.array([np.nan if run.whole.phases is None else len(run.ends) for run in runs])
    kept = _within(runs, points.member, points.columns["step"])
    columns = {name: column[kept] for name, column in {**points.columns, "phase": numbers[points.member]}.items()}
    return Points(points.member[kept], columns)


def _within(
    runs: Sequence[Phased], member: npt.NDArray[np.int64], step: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether each step belongs to the present phase of its run, (points,)."""
    return step > np.array([run.ends[-1].step if run.ends else -1 for run in runs])[member]


def crossed(run: Phased, spec: RunSpec, ended: Checkpoint, time: float) -> Checkpoint:
    """The checkpoint of the next phase, which takes steps, or of the last one.

    Args:
        spec: the plain spec of the phase that ended.
        ended: its last checkpoint.
        time: the time at its end.
    """
    end = PhaseEnd(ended.step, time)
    further = Phased(run.whole, (*run.ends, end))
    follows = present_spec(run.whole, further.ends)
    stop = follows.stop
    checkpoint = Checkpoint(
        ended.step,
        _carried(run.whole, len(run.ends), (spec, follows), ended.state, time),
        of_next_phase(ended.milestones, ended.step, None if stop.at_first_step_below else stop.check_every),
        phase_ends=further.ends,
    )
    if follows.max_steps > ended.step or further.is_last:
        return checkpoint
    return crossed(further, follows, checkpoint, time)


def is_over(run: Phased) -> bool:
    """Whether a run ends with the beginning of its phase, the last one, which takes no steps."""
    return run.is_last and present_spec(run.whole, run.ends).max_steps == begin_of(run.ends).step


def _carried(
    whole: RunSpec, number: int, specs: tuple[RunSpec, RunSpec], state: npt.NDArray[np.generic], time: float
) -> npt.NDArray[np.generic]:
    """The state with which the phase after phase `number` begins: the factors, and what its optimiser carries."""
    before, after = specs
    assert whole.phases is not None
    next_state, trained = np.zeros(state_numbers(after), dtype=state.dtype), trained_numbers(before)
    if whole.phases[number].optimizer_state == "carried":
        own = trained * after.optimizer.slots + after.optimizer.scalars
        next_state[:own] = state[:own]
    next_state[:trained] = state[:trained]
    if after.carries_time:
        next_state[-TIME_SCALARS:] = state[-TIME_SCALARS:] if before.carries_time else _split(time, state.dtype)
    return next_state


def _split(time: float, dtype: np.dtype[np.generic]) -> npt.NDArray[np.float64]:
    """A time as the two numbers of a precision that carry it."""
    total = np.array(time).astype(dtype).astype(np.float64)
    return np.array([total, time - total])
