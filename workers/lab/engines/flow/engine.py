"""The flow engine: gradient flows, integrated adaptively and singly, in stretches of a fixed number of steps.

Points are interpolated within the solver's steps, and a run ends within a step that the solver took without regard to
the end. Schedules and stops therefore do not influence where the steps and stretches of a run end.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.engines.flow.end_to_end import EndToEndFlow
from workers.lab.engines.flow.factors import FactorFlow
from workers.lab.engines.flow.points import FlowPoints
from workers.lab.engines.flow.solvers import Stretch
from workers.lab.engines.flow.state import NOT_YET, FlowState, Instant, first_state, read_state, write_state
from workers.lab.engines.flow.systems import System
from workers.records import Outcome
from workers.runs.conservation import carried_sign
from workers.runs.metrics import metrics_of
from workers.runs.milestones import forget_losses, note_losses
from workers.runs.optimizers import GradientFlow
from workers.runs.schedules import recorded_times
from workers.runs.snapshots import kept_steps

BISECTIONS = 60
"""Bisections of the step within which the loss falls below its limit: enough for the last digit of the time."""

MOST_STEPS = 1_000_000
"""Steps after which a flow is given up; at factors of size 1e30, say, rounding alone keeps every step short."""

MOST_DRIFT, MOST_DRIFT_IN_TOLERANCES = 1e-2, 1e4
"""Drift above which a point is noted, absolute and in relative tolerances, the smaller of the two. Thousands of steps
add up, each within the relative tolerance."""


def advance(descents: Descents, clock: Clock, device: str, snapshots: Snapshots | None = None) -> Snapshots:
    """Advance all unfinished flows by a stretch of each in turn, the least advanced flows first.

    A stretch whose points cannot all be measured in time is taken again in the next slice, which skips those recorded.
    """
    snapshots, flows = snapshots or Snapshots(), dict[int, _Flow]()
    while len(alive := descents.unfinished()) and clock.steps_allowed(1) and not snapshots.full:
        for run in sorted(alive.tolist(), key=lambda run: descents.steps[run]):
            if run not in flows:
                flows[run] = _Flow(descents, run)
            flows[run].advance(snapshots, _affordable_points(snapshots, run, clock))
            snapshots.settle(clock)
            if clock.seconds_left <= 0 or snapshots.full:
                break
        clock.spend(1)
    return snapshots


def _affordable_points(snapshots: Snapshots, run: int, clock: Clock) -> int:
    """Points of a run that can be measured in time, at least one."""
    price, most_points = snapshots.prices(np.array([run])).item(), snapshots.most_points(1)
    return min(most_points, max(1, int(clock.recording_seconds / price))) if price else most_points


class _Flow:
    """One run of a batch."""

    def __init__(self, descents: Descents, run: int) -> None:
        self._descents, self._run, self._spec = descents, run, descents.specs[run]
        assert isinstance(self._spec.optimizer, GradientFlow)
        self._optimizer = self._spec.optimizer
        sign = carried_sign(self._spec)
        self._system: System = EndToEndFlow(self._spec) if sign else FactorFlow(self._spec)
        self._times = recorded_times(self._spec.record.per_decade)
        self._below = self._spec.stop.loss_below or -np.inf
        self._most_drift = min(MOST_DRIFT, MOST_DRIFT_IN_TOLERANCES * self._optimizer.rtol)
        # A copy, because the readings are views of it, and a stretch that is taken again needs its beginning.
        begun, state = bool(descents.begun[run]), descents.states[run].copy()
        self._state = read_state(state) if begun else first_state(self._spec, state, sign)
        self._sign = sign
        if begun:
            self._forget_last_point()

    def _forget_last_point(self) -> None:
        """Forget what rests on the last point of a run that was over and is extended, unless the schedule has it.

        Only a run that was over stands within a stretch; a longer run has another point of that number.
        """
        time = self._state.now.time
        number = int(np.searchsorted(self._times, time, "left"))
        is_scheduled = number < len(self._times) and self._times[number] == time
        if time > self._state.stretch.time and not is_scheduled:
            forget_losses(self._descents.milestones[self._run], number)
            if self._state.drift_exceeded_at == number:
                self._state = replace(self._state, drift_exceeded_at=NOT_YET)

    def advance(self, snapshots: Snapshots, most_points: int) -> None:
        """Take a stretch of steps and store its results: the state, the points, and the outcome of a run that ended.

        Args:
            most_points: points after which the run pauses within the stretch.
        """
        self._most_points, self._is_paused = most_points, False
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
        before = self._state.now.reading
        start = self._system.read(self._system.coordinates_of(before), before)
        points.add(0, 0.0, start)
        if not np.isfinite(start.loss):
            self._descents.outcomes[self._run] = Outcome.DIVERGED
        elif start.loss < self._below:
            self._descents.outcomes[self._run] = Outcome.CONVERGED
        elif self._spec.max_time == 0:
            self._descents.outcomes[self._run] = Outcome.BUDGET_EXHAUSTED

    def _take_stretch(self, points: FlowPoints) -> None:
        begin = self._state.stretch
        coordinates = self._system.coordinates_of(begin.reading)
        if not np.isfinite(self._system.velocity(coordinates)).all():
            self._fail(begin.time, "the gradient is no longer finite")
            return
        stretch = Stretch(self._system, coordinates, self._optimizer)
        for _ in range(stretch.steps):
            if not self._take_step(stretch, begin, points):
                break
        if self._descents.outcomes[self._run] is None and not self._is_paused:
            self._end_stretch(stretch, begin)

    def _take_step(self, stretch: Stretch, begin: Instant, points: FlowPoints) -> bool:
        """Take a step and record its points; false when it failed, or when the run ended or paused within it."""
        if (failure := stretch.step()) is not None:
            self._fail(begin.time + stretch.time, failure)
            return False
        end, outcome = self._end(stretch, begin.time)
        self._record(stretch, begin, end, points)
        if outcome is not None and not self._is_paused:
            self._finish(stretch, begin, end, outcome, points)
        return outcome is None and not self._is_paused

    def _end_stretch(self, stretch: Stretch, begin: Instant) -> None:
        """Begin the next stretch at the end of this one; give up a flow that has taken too many steps."""
        now = Instant(begin.time + stretch.time, self._system.read(stretch.coordinates, begin.reading))
        self._state = FlowState(now, now, self._state.drift_exceeded_at, self._state.steps + stretch.steps)
        if self._state.steps >= MOST_STEPS and self._run not in self._descents.errors:
            self._fail(now.time, f"it took {self._state.steps:,} steps to get there")

    def _end(self, stretch: Stretch, began: float) -> tuple[float, Outcome | None]:
        """Time to which the run follows the last step, counted within the stretch, and its outcome if it ends then."""
        last = self._spec.max_time - began
        if self._system.loss(stretch.coordinates) < self._below:
            # The loss falls along a flow, so it is below its limit at the end of a step if it is anywhere within it.
            # With weight decay it may rise again, and is looked at only at the ends of the solver's steps.
            reached = self._passes_limit(stretch)
            if reached <= last:
                return reached, Outcome.CONVERGED
        return (last, Outcome.BUDGET_EXHAUSTED) if last <= stretch.time else (stretch.time, None)

    def _passes_limit(self, stretch: Stretch) -> float:
        """The first time within the last step at which the loss is below its limit, by bisection."""
        interpolant, before, after = stretch.interpolant(), stretch.before, stretch.time
        for _ in range(BISECTIONS):
            middle = before + (after - before) / 2
            if self._system.loss(interpolant(middle)) < self._below:
                after = middle
            else:
                before = middle
        return after

    def _record(self, stretch: Stretch, begin: Instant, end: float, points: FlowPoints) -> None:
        """Record the scheduled points within the last step, after its beginning and up to `end`.

        Points up to `now` are recorded already. The run pauses at a point if there are more than it may record.
        """
        reached = (begin.time + stretch.before, begin.time + end, self._state.now.time)
        first, beyond, unrecorded = np.searchsorted(self._times, reached, side="right")
        first = max(first, unrecorded)
        last = min(int(beyond), int(first) + self._most_points - len(points))
        if first < last:
            interpolant = stretch.interpolant()
            for number in range(int(first), last):
                time = float(self._times[number])
                inside = float(np.clip(time - begin.time, stretch.before, end))
                points.add(number, time, self._system.read(interpolant(inside), begin.reading))
        if max(first, last) < beyond:
            self._pause(begin, points)

    def _pause(self, begin: Instant, points: FlowPoints) -> None:
        """Stay at the last point; the next slice takes the stretch again from its beginning."""
        self._is_paused = True
        if len(points):
            self._state = replace(self._state, now=points.last, stretch=begin)

    def _finish(self, stretch: Stretch, begin: Instant, end: float, outcome: Outcome, points: FlowPoints) -> None:
        """End the run within the last step, with a last point at its end unless the schedule has one there."""
        time = self._spec.max_time if outcome == Outcome.BUDGET_EXHAUSTED else begin.time + end
        now = Instant(time, self._system.read(stretch.interpolant()(end), begin.reading))
        self._state = FlowState(now, begin, self._state.drift_exceeded_at, self._state.steps)
        self._descents.outcomes[self._run] = outcome
        if self._last_point_number == len(self._times) or self._times[self._last_point_number] != time:
            points.add(self._last_point_number, time, now.reading)

    @property
    def _last_point_number(self) -> int:
        """Number of the last point: the last scheduled one while the run goes on, that of its end when it is over."""
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
            note_losses(descents.milestones[run : run + 1], points.losses[:, None], points.point_numbers[:1])
        descents.steps[run] = self._last_point_number
        descents.states[run] = write_state(self._state)
        points.hand_over(run, snapshots, self._kept(points))

    def _kept(self, points: FlowPoints) -> npt.NDArray[np.bool_]:
        """Whether each point keeps its factors: never the end of a run that the schedule of points lacks."""
        numbers = points.point_numbers
        kept = kept_steps(self._spec.record, len(self._times) - 1)
        scheduled = np.isin(numbers, kept)
        scheduled[scheduled] = self._times[numbers[scheduled]] == points.times[scheduled]
        return scheduled
