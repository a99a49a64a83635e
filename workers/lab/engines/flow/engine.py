"""The flow engine: gradient flows, integrated adaptively, each run by itself in stretches of a fixed number of steps.

What is recorded of a stretch is read out of the solver's interpolation, and a run that ends does so within a step that
the solver took without knowing: nothing but the run itself decides where its steps and its stretches end.
"""

from dataclasses import replace

import numpy as np

from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.engines.flow.end_to_end import EndToEndFlow
from workers.lab.engines.flow.factors import FactorFlow
from workers.lab.engines.flow.points import FlowPoints
from workers.lab.engines.flow.solvers import Stretch
from workers.lab.engines.flow.state import NOT_YET, FlowState, Place, first_state, read_state, write_state
from workers.lab.engines.flow.systems import System
from workers.records import Outcome
from workers.runs.conservation import carried_sign
from workers.runs.metrics import metrics_of
from workers.runs.milestones import note_losses
from workers.runs.optimizers import GradientFlow
from workers.runs.schedules import recorded_times

BISECTIONS = 60
"""Of the step within which the loss passes its limit: to the last digit of its time."""

MOST_STEPS = 1_000_000
"""A flow that takes more is given up: from factors of 1e30 in size, say, rounding alone lets no step be long."""

MOST_DRIFT, MOST_DRIFT_IN_TOLERANCES = 1e-2, 1e4
"""A drift above either is noted; thousands of steps add up, each within the relative tolerance."""


def advance(descents: Descents, clock: Clock, device: str) -> Snapshots:
    """Advance all unfinished flows, a stretch of each in turn, those that are least advanced first."""
    snapshots, flows = Snapshots(), dict[int, _Flow]()
    while len(alive := descents.unfinished()) and clock.steps_allowed(1) and not snapshots.full:
        for run in sorted(alive.tolist(), key=lambda run: descents.steps[run]):
            if run not in flows:
                flows[run] = _Flow(descents, run)
            flows[run].advance(snapshots)
            if clock.seconds_left <= 0 or snapshots.full:
                break
        clock.spend(1)
    return snapshots


class _Flow:
    """One run of a batch."""

    def __init__(self, descents: Descents, run: int) -> None:
        self._descents, self._run, self._spec = descents, run, descents.specs[run]
        assert isinstance(self._spec.optimizer, GradientFlow)
        self._optimizer = self._spec.optimizer
        sign = carried_sign(self._spec)
        self._system: System = EndToEndFlow(self._spec) if sign else FactorFlow(self._spec)
        self._times = recorded_times(self._spec.record.points_per_decade or 1)
        self._below = self._spec.stop.loss_below or -np.inf
        self._most_drift = min(MOST_DRIFT, MOST_DRIFT_IN_TOLERANCES * self._optimizer.rtol)
        begun, state = bool(descents.begun[run]), descents.states[run]
        self._state = read_state(state) if begun else first_state(self._spec, state, sign)
        self._sign = sign

    def advance(self, snapshots: Snapshots) -> None:
        """Take a stretch of steps and store what came of it: the state, the points, how the run ended if it did."""
        points = FlowPoints(self._sign, "conservation_drift" in metrics_of(self._spec))
        with np.errstate(all="ignore"):
            if not self._descents.begun[self._run]:
                self._begin(points)
            if self._descents.outcomes[self._run] is None:
                self._take_stretch(points)
        self._store(points, snapshots)

    def _begin(self, points: FlowPoints) -> None:
        """Record and test the start."""
        self._descents.begun[self._run] = True
        before = self._state.now.standing
        start = self._system.stand(self._system.begin(before), before)
        points.add(0, 0.0, start)
        if not np.isfinite(start.loss):
            self._descents.outcomes[self._run] = Outcome.DIVERGED
        elif start.loss < self._below:
            self._descents.outcomes[self._run] = Outcome.CONVERGED
        elif self._spec.max_time == 0:
            self._descents.outcomes[self._run] = Outcome.BUDGET_EXHAUSTED

    def _take_stretch(self, points: FlowPoints) -> None:
        begin = self._state.stretch
        numbers = self._system.begin(begin.standing)
        if not np.isfinite(self._system.velocity(numbers)).all():
            self._fail(begin.time, "the gradient is no longer finite")
            return
        stretch = Stretch(self._system, numbers, self._optimizer)
        for _ in range(stretch.steps):
            if (failure := stretch.step()) is not None:
                self._fail(begin.time + stretch.time, failure)
                break
            end, outcome = self._end(stretch, begin.time)
            self._record(stretch, begin, end, points)
            if outcome is not None:
                self._finish(stretch, begin, end, outcome, points)
                return
        here = Place(begin.time + stretch.time, self._system.stand(stretch.numbers, begin.standing))
        self._state = FlowState(here, here, self._state.drift_exceeded_at, self._state.steps + stretch.steps)
        if self._state.steps >= MOST_STEPS and self._run not in self._descents.errors:
            self._fail(here.time, f"it took {self._state.steps:,} steps to get there")

    def _end(self, stretch: Stretch, began: float) -> tuple[float, Outcome | None]:
        """How far into the last step the run goes, in the stretch's time, and how it ends there, if it does."""
        last = self._spec.max_time - began
        reached = stretch.time
        if self._system.loss(stretch.numbers) < self._below:
            reached = self._passes_limit(stretch)
            if reached <= last:
                return reached, Outcome.CONVERGED
        return (last, Outcome.BUDGET_EXHAUSTED) if last <= stretch.time else (reached, None)

    def _passes_limit(self, stretch: Stretch) -> float:
        """The first time within the last step at which the loss, which falls along a flow, is below its limit."""
        look, before, after = stretch.look(), stretch.before, stretch.time
        for _ in range(BISECTIONS):
            middle = before + (after - before) / 2
            if self._system.loss(look(middle)) < self._below:
                after = middle
            else:
                before = middle
        return after

    def _record(self, stretch: Stretch, begin: Place, end: float, points: FlowPoints) -> None:
        """Points of the schedule after the last step's beginning, up to `end`."""
        first, beyond = np.searchsorted(self._times, (begin.time + stretch.before, begin.time + end), side="right")
        if first < beyond:
            look = stretch.look()
            for number in range(int(first), int(beyond)):
                time = float(self._times[number])
                inside = float(np.clip(time - begin.time, stretch.before, end))
                points.add(number, time, self._system.stand(look(inside), begin.standing))

    def _finish(self, stretch: Stretch, begin: Place, end: float, outcome: Outcome, points: FlowPoints) -> None:
        """End the run within the last step; its last point is one of the schedule, or comes after it."""
        time = self._spec.max_time if outcome == Outcome.BUDGET_EXHAUSTED else begin.time + end
        now = Place(time, self._system.stand(stretch.look()(end), begin.standing))
        self._state = FlowState(now, begin, self._state.drift_exceeded_at, self._state.steps)
        self._descents.outcomes[self._run] = outcome
        if self._number == len(self._times) or self._times[self._number] != time:
            points.add(self._number, time, now.standing)

    @property
    def _number(self) -> int:
        """The number of the last point: of the schedule while the run goes on, maybe beyond it when it is over."""
        time, over = self._state.now.time, self._descents.outcomes[self._run] is not None
        return int(
            np.searchsorted(self._times, time, "left") if over else np.searchsorted(self._times, time, "right") - 1
        )

    def _fail(self, time: float, reason: str) -> None:
        self._descents.errors[self._run] = (
            f"The flow could not be integrated beyond the time {time:g}: {reason.rstrip('.')}. "
            "Ask for other tolerances (optimizer.rtol, optimizer.atol), an earlier max_time, or a gradient_descent."
        )

    def _store(self, points: FlowPoints, snapshots: Snapshots) -> None:
        run, descents = self._run, self._descents
        exceeded = [number for number, drift in points.drifts() if drift > self._most_drift]
        if exceeded and self._state.drift_exceeded_at == NOT_YET:
            self._state = replace(self._state, drift_exceeded_at=exceeded[0])
        if len(points):
            note_losses(descents.milestones[run : run + 1], points.losses[:, None], points.numbers[:1])
        descents.steps[run] = self._number
        descents.states[run] = write_state(self._state)
        points.hand_over(run, snapshots)
