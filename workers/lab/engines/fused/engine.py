"""The fused engine: many steps of many small factorisations in one launch, bit for bit the same however they are cut.

A launch advances every run by a number of steps, in compiled code (`text`, `source`) with the factors in registers:
the step loop, the stop test at every step, the milestones and the recording. Between launches, finished runs leave, the
others are packed into blocks again, and the clock is read.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.engines.fused.kernels import launch, prepare
from workers.lab.engines.fused.launches import Constants, lay_out, manner_of, program_like, read_back
from workers.lab.engines.fused.program import CHUNK_BYTES, WIDE, Program
from workers.lab.engines.recording import affordable_runs
from workers.lab.native.vectors import vector_bytes
from workers.runs.costs import trained_numbers

LAUNCH_SECONDS = 0.25
"""Target length of a launch; within one the clock cannot be read."""

FIRST_LAUNCH = 2**11
"""Steps, times blocks, of the first launch, which measures the pace."""

LAUNCH_SNAPSHOT_BYTES = 16 * 2**20
"""Memory of the factors that a launch may record; a launch is shortened where the schedules need more."""

FEWEST_COLUMNS_OF_BATCHES = 8
"""Columns from which a batch is advanced run by run, its columns side by side. For 8 x 8 at depth 3 both layouts take
the same time, above it the layout by lanes loses its factors from the first-level cache."""

SHARED_FROM = 16_000_000
"""Multiply-adds of a step from which cores share its products, some 140 x 140 at depth 3. Two cores gain a fifth to a
quarter at 200 x 200 and at 256 x 256, nothing at 100 x 100, and lose at 64 x 64."""

MOST_AT_HAND = 2**16
"""Vectors of a block by lanes that stand on the stack, 4 MiB of those of AVX-512. With shared measurements lanes take a
quarter to a half of the time of columns, up to 50 x 50."""

FIRST_PACE = 1.0
"""Multiply-adds a nanosecond that are assumed of a block before its first launch; the slowest reach 5."""


def advance(descents: Descents, clock: Clock, device: str, snapshots: Snapshots | None = None) -> Snapshots:
    """Advance all unfinished descents until the clock stops them; finished runs leave the batch."""
    snapshots = snapshots or Snapshots()
    if not len(descents.unfinished()):
        return snapshots
    constants, pace, company = Constants(descents.specs), None, Company(clock.cores)
    while len(alive := descents.unfinished()) and not snapshots.full:
        alive = affordable_runs(descents, alive, constants.schedules, snapshots, clock)
        program = program_of(descents, len(alive), device, constants.measurements.are_shared, company.cores)
        blocks = -(-len(alive) // program.lanes)
        pace = pace or _Pace(program)
        recordable = _Recordable(descents, constants, alive, snapshots, clock.recording_seconds)
        steps = min(pace.steps(blocks, clock.seconds_left), constants.steps_left(descents, alive))
        steps = constants.tables.steps(alive, descents.steps, steps)
        steps = clock.steps_allowed(recordable.steps(steps))
        if not steps:
            break
        prepare(program, device)
        started = time.perf_counter()
        laid_out = lay_out(descents, constants, alive, program, steps)
        launch(program, device, laid_out.blocks, steps, laid_out.arrays, company.cores)
        read_back(laid_out, descents, constants, snapshots)
        taken, seconds = int(laid_out.steps_taken_by_blocks.sum()), time.perf_counter() - started
        pace.note(taken, seconds)
        company.note(taken, seconds)
        clock.spend(steps)
        snapshots.settle(clock)
    return snapshots


class _Pace:
    """Seconds per step of one block in the last launch; compile time counts once, and the next launch corrects it."""

    def __init__(self, program: Program) -> None:
        guess = program.multiply_adds * program.lanes / FIRST_PACE * 1e-9
        self._seconds_per_step = max(LAUNCH_SECONDS / FIRST_LAUNCH, guess)

    def steps(self, blocks: int, seconds_left: float) -> int:
        """Steps that take about LAUNCH_SECONDS, or `seconds_left` where that is less; at least 1."""
        return max(1, int(min(LAUNCH_SECONDS, seconds_left) / (self._seconds_per_step * blocks)))

    def note(self, steps: int, seconds: float) -> None:
        self._seconds_per_step = seconds / max(steps, 1)


class Company:
    """How many cores compute a launch: those that the slice may have, or a single one where that was faster.

    Other work on a machine can keep a helper waiting in the middle of a piece, and the run with it. Both ways are
    measured in a slice, and give the same bits. The first launch, of a few steps, does not count.

    Args:
        most: cores that the slice may have.
    """

    def __init__(self, most: int) -> None:
        self._most, self._paces, self._is_warm = most, dict[int, float](), False

    @property
    def cores(self) -> int:
        """Of the next launch."""
        return min((self._most, 1), key=lambda cores: self._paces.get(cores, 0.0))

    def note(self, steps: int, seconds: float) -> None:
        """Enter what a launch took, of the steps of all blocks."""
        if self._is_warm:
            self._paces[self.cores] = seconds / max(steps, 1)
        self._is_warm = True


def program_of(descents: Descents, runs: int, device: str, share_measurements: bool = False, cores: int = 1) -> Program:
    """The program of a batch: by lanes where many small runs fill the vectors, by columns where a matrix does.

    Linear measurements that all runs share are read once for the lanes of a block. Several cores share the products of
    large runs. A GPU has a thread for each run.
    """
    spec = descents.specs[0]
    thread = program_like(spec, manner_of(descents.specs))
    if device != "cpu":
        return thread
    by_lanes = replace(thread, lanes=vector_bytes() // thread.item_bytes)
    if thread.diagonal:
        return thread if runs == 1 else by_lanes
    few = 2 * runs <= by_lanes.lanes
    if thread.samples and share_measurements and not few and by_lanes.numbers_at_hand <= MOST_AT_HAND:
        return by_lanes
    if thread.columns >= (WIDE if few else FEWEST_COLUMNS_OF_BATCHES):
        is_shared = cores > 1 and thread.multiply_adds >= SHARED_FROM
        return replace(thread, layout="columns", vector_bytes=max(CHUNK_BYTES, vector_bytes()), is_shared=is_shared)
    return thread if runs == 1 else by_lanes


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
        bounds = self.constants.steps_due(self.descents, self.alive, steps)
        points, stored = (part.counts(*bounds)[self.alive] for part in (self.constants.schedules, self.constants.due))
        point_bytes = trained_numbers(self.descents.specs[0]) * self.descents.states.itemsize
        if stored.sum() > LAUNCH_SNAPSHOT_BYTES // point_bytes:
            return False
        is_few = points.sum() <= self.snapshots.most_points(len(self.alive))
        return bool(is_few and points @ self.snapshots.prices(self.alive) <= self.seconds)
