"""The fused engine: many steps of many small factorisations in one launch, bit for bit the same however they are cut.

A launch advances every run by a number of steps, in compiled code (`text`, `source`) with the factors in registers:
the step loop, the stop test at every step, the milestones and the recording. Between launches, finished runs leave, the
others are packed into blocks again, and the clock is read.
"""

import time
from dataclasses import dataclass

import numpy as np

from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.engines.fused.kernels import launch
from workers.lab.engines.fused.launches import Constants, lay_out, read_back
from workers.lab.engines.fused.source import Program, update_of
from workers.lab.engines.recording import affordable_runs
from workers.runs.costs import trained_numbers

LAUNCH_SECONDS = 0.25
"""Target length of a launch; within one the clock cannot be read."""

FIRST_LAUNCH = 2**11
"""Steps, times blocks, of the first launch, which measures the pace."""

LAUNCH_SNAPSHOT_BYTES = 16 * 2**20
"""Memory of the factors that a launch may record; a launch is shortened where the schedules need more."""

LANES = {"float64": 8, "float32": 16}
"""Runs side by side in a block on a CPU, as many as fill a 512-bit vector."""


def advance(descents: Descents, clock: Clock, device: str, snapshots: Snapshots | None = None) -> Snapshots:
    """Advance all unfinished descents until the clock stops them; finished runs leave the batch."""
    snapshots = snapshots or Snapshots()
    if not len(descents.unfinished()):
        return snapshots
    constants, pace = Constants(descents.specs), _Pace()
    while len(alive := descents.unfinished()) and not snapshots.full:
        alive = affordable_runs(descents, alive, constants.schedules, snapshots, clock)
        program = _program(descents, len(alive), device)
        blocks = -(-len(alive) // program.lanes)
        recordable = _Recordable(descents, constants, alive, snapshots, clock.recording_seconds)
        steps = clock.steps_allowed(recordable.steps(pace.steps(blocks, clock.seconds_left)))
        if not steps:
            break
        started = time.perf_counter()
        laid_out = lay_out(descents, constants, alive, program, steps)
        launch(program, device, laid_out.blocks, steps, laid_out.arrays)
        read_back(laid_out, descents, constants, snapshots)
        pace.note(int(laid_out.steps_taken_by_blocks.sum()), time.perf_counter() - started)
        clock.spend(steps)
        snapshots.settle(clock)
    return snapshots


class _Pace:
    """Seconds per step of one block in the last launch; compile time counts once, and the next launch corrects it."""

    def __init__(self) -> None:
        self._seconds_per_step = LAUNCH_SECONDS / FIRST_LAUNCH

    def steps(self, blocks: int, seconds_left: float) -> int:
        """Steps that take about LAUNCH_SECONDS, or `seconds_left` where that is less; at least 1."""
        return max(1, int(min(LAUNCH_SECONDS, seconds_left) / (self._seconds_per_step * blocks)))

    def note(self, steps: int, seconds: float) -> None:
        self._seconds_per_step = seconds / max(steps, 1)


def _program(descents: Descents, runs: int, device: str) -> Program:
    """The program of a batch; several lanes only on a CPU, which has no thread per run, and for several runs."""
    spec = descents.specs[0]
    lanes = LANES[spec.precision] if device == "cpu" and runs > 1 else 1
    slots, update = spec.optimizer.slots, update_of(spec)
    return Program(spec.factor_shapes, slots, update, spec.precision, lanes, spec.model.is_symmetric)


@dataclass(frozen=True)
class _Recordable:
    """How far a launch may go until what it records takes too much memory, or too long to measure.

    Attributes:
        snapshots: which know what a point takes.
        seconds: that all points may take.
    """

    descents: Descents
    constants: Constants
    alive: np.ndarray
    snapshots: Snapshots
    seconds: float

    def steps(self, wanted: int) -> int:
        """`wanted` steps, halved until their points fit; at least 1."""
        while wanted > 1 and not self._fits(wanted):
            wanted //= 2
        return wanted

    def _fits(self, steps: int) -> bool:
        due = self.constants.schedules.counts(*self.constants.points_due(self.descents, self.alive, steps))[self.alive]
        point_bytes = trained_numbers(self.descents.specs[0]) * self.descents.states.itemsize
        most_points = min(LAUNCH_SNAPSHOT_BYTES // point_bytes, self.snapshots.most_points(len(self.alive)))
        return bool(due.sum() <= most_points and due @ self.snapshots.prices(self.alive) <= self.seconds)
