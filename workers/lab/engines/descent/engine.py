"""The torch engine: batched tensors and analytic gradients, for every descent; the reference for the fused engine.

A chunk of steps writes every state into a history, each beside the state before it. Nothing is decided, copied or
recorded within a step, which is a handful of tensor operations. After the chunk its losses say which runs are over and
since when. States to be recorded, and the last state of a run, are read out of the history. Cutting a run into chunks
therefore cannot change it, and the last finite state of a diverged run is at hand.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from workers.lab.decays import build_optimizer
from workers.lab.disturbances import Disturbances, build_disturbances
from workers.lab.engines.descent.history import LONGEST_CHUNK, SHORTEST_CHUNK, History
from workers.lab.engines.descent.stepping import stepper_for
from workers.lab.engines.descents import CHEAP_SECONDS, Clock, Descents, Snapshots, carried_times
from workers.lab.engines.recording import Schedules, affordable_runs, with_last_steps
from workers.lab.engines.stopping import NEVER, LossLimits, Stops, find_stops
from workers.lab.models.layout import FactorLayout
from workers.lab.optimizers import build_gradient
from workers.runs.costs import MULTIPLY_ADDS_PER_SECOND, multiply_adds_per_step, observes_few_entries
from workers.runs.milestones import failed_checks, note_failed_checks, note_losses
from workers.runs.snapshots import kept_steps
from workers.runs.spec import RunSpec

CHUNK_SECONDS = 0.1
"""Length of a chunk; within one the clock is not read."""

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@torch.inference_mode()
def advance(descents: Descents, clock: Clock, device: str, snapshots: Snapshots | None = None) -> Snapshots:
    """Advance all unfinished descents in lockstep until the clock stops them; finished runs leave the batch.

    Where not all runs can be recorded in time, those that are behind go on first.
    """
    snapshots, schedules = snapshots or Snapshots(), Schedules(descents.specs)
    while len(alive := descents.unfinished()) and clock.steps_allowed(1) and not snapshots.full:
        members = affordable_runs(descents, alive, schedules, snapshots, clock)
        lanes = _Lanes(descents, members, torch.device(device), snapshots, clock.steps_allowed(LONGEST_CHUNK))
        lanes.begin()
        snapshots.settle(clock)
        if lanes.have_begun_dearly(clock):
            clock.spend(0)  # the slice has moved on, by step 0
        while lanes.mostly_running and not snapshots.full and (steps := lanes.affordable_steps(clock)):
            lanes.chunk(steps)
            clock.spend(steps)
            snapshots.settle(clock)
        lanes.write_back()
    return snapshots


class _Late:
    """A bound evaluation that is bound when it is first called."""

    def __init__(self, binding: Callable[[], Callable[[], None]]) -> None:
        self._binding = binding
        self._bound: Callable[[], None] | None = None

    def __call__(self) -> None:
        if self._bound is None:
            self._bound = self._binding()
        self._bound()


class _Lanes:
    """The unfinished runs of a batch, side by side in tensors.

    On a CPU a single run has a single lane, because its products round as those of a batch do (`workers.lab.products`).
    On a GPU libraries choose kernels by the size of a batch: there a single run gets a shadow lane, which takes the
    same steps and is never read.

    Args:
        longest: the most steps that the slice may still take.
    """

    def __init__(
        self,
        descents: Descents,
        members: npt.NDArray[np.int64],
        device: torch.device,
        snapshots: Snapshots,
        longest: int,
    ) -> None:
        self._run_count = len(members)
        members = members if len(members) > 1 or device.type == "cpu" else np.repeat(members, 2)
        specs = [descents.specs[i] for i in members]
        dtype = DTYPES[specs[0].precision]
        self._descents, self._members, self._snapshots = descents, members, snapshots
        self._schedules, self._kept = Schedules(specs), Schedules(specs, kept_steps)
        self._limits = LossLimits([spec.stop for spec in specs])
        self._max_steps = np.array([spec.max_steps for spec in specs], dtype=np.int64)
        self._steps = descents.steps[members]
        self._running = np.arange(len(members)) < self._run_count
        self._layout = FactorLayout(specs[0].factor_shapes, len(members))
        optimizer = specs[0].optimizer
        matrices = optimizer.matrices(specs[0].factor_shapes)
        longest = max(1, min(longest, int((self._max_steps - self._steps).max())))
        slots, scalars = optimizer.slots, optimizer.state_scalars
        self._history = History(self._layout, slots, scalars, dtype, device, matrices, longest)
        self._history.load(descents.states[members])
        self._optimizer = build_optimizer(specs, self._layout, dtype, device, self._history.capacity)
        self._bind(specs, dtype, device)
        estimated = multiply_adds_per_step(specs[0]) * len(members) / MULTIPLY_ADDS_PER_SECOND
        self._step_seconds = max(CHUNK_SECONDS / SHORTEST_CHUNK, estimated)

    def _bind(self, specs: Sequence[RunSpec], dtype: torch.dtype, device: torch.device) -> None:
        """Allocate the gradient and the losses, and have an evaluation for every slot of the history."""
        history, runs = self._history, self._layout.runs
        self._gradient = torch.zeros(self._layout.size, dtype=dtype, device=device)
        self._twice_loss = torch.zeros(history.capacity + 1, runs, 1, 1, dtype=dtype, device=device)
        self._disturbances = build_disturbances(specs, self._layout, self._gradient, history.capacity)
        disturbing = self._disturbances if isinstance(self._disturbances, Disturbances) else None
        model = build_gradient(specs, self._layout, self._gradient, disturbing)
        losses, self._loss_of_runs = self._twice_loss.unbind(), self._twice_loss[:, :, 0, 0].unbind()
        bindings = (partial(model.bind, factors, loss) for factors, loss in zip(history.factors, losses, strict=True))
        # Many slices end long before the last slot. On a GPU steps are captured, in which nothing may be allocated.
        self._evaluate = [binding() if device.type != "cpu" else _Late(binding) for binding in bindings]
        capturable = specs[0].optimizer.is_capturable and not observes_few_entries(specs[0])
        self._stepper = stepper_for(self._step, device, capturable)

    @property
    def mostly_running(self) -> bool:
        """Whether more than half of the runs go on; if not, the batch is worth rebuilding without the finished runs."""
        return bool(2 * np.count_nonzero(self._running) > self._run_count)

    def affordable_steps(self, clock: Clock) -> int:
        """Steps of the next chunk, which fit the history, take about CHUNK_SECONDS and can be recorded in time.

        Zero when the slice is over, or when it is too short to record the next step of all runs and there are several.
        """
        capacity = min(self._history.capacity, self._disturbances.capacity)
        steps = int(np.clip(CHUNK_SECONDS / self._step_seconds, 1, capacity))
        steps, fewest = clock.steps_allowed(steps), int(self._run_count == 1)
        prices = np.where(self._running, self._snapshots.prices(self._members), 0.0)
        while steps > fewest and not self._are_recordable(steps, prices, clock.recording_seconds):
            steps //= 2
        return steps

    def _are_recordable(self, steps: int, prices: npt.NDArray[np.float64], seconds: float) -> bool:
        most_points = self._snapshots.most_points(self._run_count)
        if steps * prices.sum() <= seconds and steps * len(prices) <= most_points:
            return True
        counts = np.where(self._running, self._schedules.counts(self._steps, self._steps + steps), 0)
        return bool(counts @ prices <= seconds and counts.sum() <= most_points)

    def begin(self) -> None:
        """Evaluate the present states, then record and test the runs at step 0."""
        self._disturbances.prepare(0, self._steps, 1)
        self._evaluate_at(0)
        fresh = self._running & ~self._descents.begun[self._members]
        self._have_begun = bool(fresh.any())
        if self._have_begun:
            self._descents.begun[self._members] = True
            self._finish_chunk(first_slot=0, last_slot=0, considered=fresh)

    def have_begun_dearly(self, clock: Clock) -> bool:
        """Whether recording step 0 has taken all the time, and recording the next step will again."""
        price = self._snapshots.prices(self._members).sum()
        return self._have_begun and clock.seconds_left <= 0 and bool(price > CHEAP_SECONDS)

    def chunk(self, steps: int) -> None:
        """Take `steps` steps with all lanes, then record and stop runs by their losses."""
        started = time.perf_counter()
        self._optimizer.prepare(self._steps, steps)
        self._disturbances.prepare(1, self._steps + 1, steps)
        self._stepper.take(steps)
        self._finish_chunk(first_slot=1, last_slot=steps, considered=self._running.copy())
        self._history.restart(steps)
        self._twice_loss[0].copy_(self._twice_loss[steps])
        self._steps[self._running] += steps
        self._step_seconds = (time.perf_counter() - started) / steps

    def write_back(self) -> None:
        """Store the states of the lanes that go on."""
        self._store(np.nonzero(self._running)[0], np.zeros(np.count_nonzero(self._running), dtype=np.int64))

    def _step(self, slot: int) -> None:
        """Step from the state in the slot before `slot` into `slot`, then evaluate it."""
        states = self._history.states
        self._optimizer.step(states[slot - 1], self._gradient, states[slot], slot, self._loss_of_runs[slot - 1])
        self._evaluate_at(slot)

    def _evaluate_at(self, slot: int) -> None:
        """The loss of the states in a slot, and the gradient of the step that leaves them."""
        self._disturbances.use(slot)
        self._evaluate[slot]()
        self._disturbances.disturb_gradient(self._gradient)

    def _finish_chunk(self, first_slot: int, last_slot: int, considered: npt.NDArray[np.bool_]) -> None:
        """Enter the slots from `first_slot` to `last_slot` of the considered lanes: milestones, points and ends."""
        losses = 0.5 * self._twice_loss[: last_slot + 1, :, 0, 0].cpu().numpy()
        fresh_losses = losses[first_slot:]
        failed_before = failed_checks(self._descents.milestones[self._members])
        reached, failed = self._limits.first_met(fresh_losses, first_slot, self._steps, failed_before)
        steps_left = self._max_steps - self._steps
        stops = find_stops(fresh_losses, first_slot, reached, steps_left, self._broken(last_slot))
        self._note_losses(fresh_losses, first_slot, stops, considered)
        self._note_checks(failed, first_slot, stops, considered)
        self._record(losses, first_slot, stops, considered)
        self._keep(first_slot, stops, considered)
        self._end(np.nonzero(stops.stopped & considered)[0], stops)

    def _note_losses(
        self, losses: npt.NDArray[np.generic], first_slot: int, stops: Stops, considered: npt.NDArray[np.bool_]
    ) -> None:
        slots = first_slot + np.arange(len(losses))[:, None]
        before_end = (slots <= stops.slot) & considered
        milestones = self._descents.milestones[self._members]
        note_losses(milestones, np.where(before_end, losses, np.inf), self._steps + first_slot)
        self._descents.milestones[self._members[considered]] = milestones[considered]

    def _note_checks(
        self, failed: npt.NDArray[np.int64], first_slot: int, stops: Stops, considered: npt.NDArray[np.bool_]
    ) -> None:
        """Enter the last failed checks; `failed` is (slots, lanes) from `first_slot`."""
        moved = np.nonzero(considered & (stops.slot >= first_slot))[0]
        steps = failed[stops.slot[moved] - first_slot, moved]
        note_failed_checks(self._descents.milestones, self._members[moved], steps)

    def _record(
        self, losses: npt.NDArray[np.generic], first_slot: int, stops: Stops, considered: npt.NDArray[np.bool_]
    ) -> None:
        """Snapshots of the scheduled steps, and of the last step of a run that is over."""
        after = np.where(considered, self._steps + first_slot - 1, NEVER)
        until = self._steps + stops.slot
        recorded_before = (stops.slot < first_slot) & self._schedules.contain(until)
        over = np.nonzero(stops.stopped & considered & ~recorded_before)[0]
        lanes, steps = with_last_steps(self._schedules.due(after, until), over, until[over])
        if not len(lanes):
            return
        slots = steps - self._steps[lanes]
        factors = self._history.read_factors(slots, lanes)
        times = {}
        if self._descents.specs[0].carries_time:
            times["time"] = carried_times(self._history.read_states(slots, lanes))
        self._snapshots.add(self._members[lanes], steps, losses[slots, lanes], factors, **times)

    def _keep(self, first_slot: int, stops: Stops, considered: npt.NDArray[np.bool_]) -> None:
        """The factors of the steps at which runs keep them."""
        if self._kept.are_empty:
            return
        after = np.where(considered, self._steps + first_slot - 1, NEVER)
        lanes, steps = self._kept.due(after, self._steps + stops.slot)
        factors = self._history.read_factors(steps - self._steps[lanes], lanes)
        self._snapshots.keep(self._members[lanes], steps, factors)

    def _end(self, lanes: npt.NDArray[np.int64], stops: Stops) -> None:
        """Take lanes that are over out of the running ones and store their last states and outcomes."""
        self._steps[lanes] += stops.slot[lanes]
        self._running[lanes] = False
        self._store(lanes, stops.slot[lanes])
        for run, outcome in zip(self._members[lanes], stops.outcome[lanes], strict=True):
            self._descents.outcomes[run] = outcome

    def _store(self, lanes: npt.NDArray[np.int64], slots: npt.NDArray[np.int64]) -> None:
        self._descents.states[self._members[lanes]] = self._history.read_states(slots, lanes)
        self._descents.steps[self._members[lanes]] = self._steps[lanes]

    def _broken(self, last_slot: int) -> npt.NDArray[np.int64]:
        """First slot of each lane whose factors are not finite, NEVER where all are, (lanes,)."""
        # Factors that leave the finite numbers never return, so the last slot says whether to search at all.
        finite = self._history.finite(last_slot) | ~self._running
        broken = np.full(self._layout.runs, NEVER, dtype=np.int64)
        if not finite.all():
            finite = np.stack([self._history.finite(slot) for slot in range(last_slot + 1)])
            broken = np.where(finite.all(axis=0), NEVER, np.argmin(finite, axis=0))
        return broken
