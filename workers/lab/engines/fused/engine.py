"""The fused engine: many steps of many small factorisations in one launch, bit for bit the same however they are cut.

A launch advances every run by a number of steps, in compiled code (`text`, `source`) with the factors in registers:
the step loop, the stop test at every step, the milestones and the recording. Between launches, finished runs leave, the
others are packed into blocks again, and the clock is read.
"""

import time
from dataclasses import replace

import numpy as np

from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.engines.fused.kernels import launch
from workers.lab.engines.fused.launches import Constants, lay_out, read_back
from workers.lab.engines.fused.program import CHUNK_BYTES, WIDE, Program
from workers.lab.engines.fused.source import update_of
from workers.lab.engines.fused.vectors import vector_bytes

LAUNCH_SECONDS = 0.25
"""Target length of a launch; within one the clock cannot be read."""

FIRST_LAUNCH = 2**11
"""Steps, times blocks, of the first launch, which measures the pace."""

LAUNCH_SNAPSHOT_BYTES = 16 * 2**20
"""Memory of the factors that a launch may record; a launch is shortened where the schedules need more."""

FEWEST_COLUMNS_OF_BATCHES = 8
"""Columns from which a batch is advanced run by run, its columns side by side. For 8 x 8 at depth 3 both layouts take
the same time, above it the layout by lanes loses its factors from the first-level cache."""

FIRST_PACE = 1.0
"""Multiply-adds a nanosecond that are assumed of a block before its first launch; the slowest reach 5."""


def advance(descents: Descents, clock: Clock, device: str) -> Snapshots:
    """Advance all unfinished descents until the clock stops them; finished runs leave the batch."""
    snapshots = Snapshots()
    if not len(descents.unfinished()):
        return snapshots
    constants, pace = Constants(descents.specs), None
    while len(alive := descents.unfinished()) and not snapshots.full:
        program = program_of(descents, len(alive), device)
        blocks = -(-len(alive) // program.lanes)
        pace = pace or _Pace(program)
        wanted = _recordable(descents, constants, alive, program, pace.steps(blocks, clock.seconds_left))
        steps = clock.steps_allowed(wanted)
        if not steps:
            break
        started = time.perf_counter()
        laid_out = lay_out(descents, constants, alive, program, steps)
        launch(program, device, laid_out.blocks, steps, laid_out.arrays)
        read_back(laid_out, descents, constants, snapshots)
        pace.note(int(laid_out.steps_taken_by_blocks.sum()), time.perf_counter() - started)
        clock.spend(steps)
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


def program_of(descents: Descents, runs: int, device: str) -> Program:
    """The program of a batch: by lanes where many small runs fill the vectors, by columns where a matrix does.

    A GPU has a thread for each run.
    """
    spec = descents.specs[0]
    update = update_of(spec)
    thread = Program(spec.factor_shapes, spec.optimizer.slots, update, spec.precision, 1, spec.model.is_symmetric)
    if device != "cpu":
        return thread
    by_lanes = replace(thread, lanes=vector_bytes() // thread.item_bytes)
    few = 2 * runs <= by_lanes.lanes
    if thread.columns >= (WIDE if few else FEWEST_COLUMNS_OF_BATCHES):
        return replace(thread, layout="columns", vector_bytes=max(CHUNK_BYTES, vector_bytes()))
    return thread if runs == 1 else by_lanes


def _recordable(descents: Descents, constants: Constants, alive: np.ndarray, program: Program, steps: int) -> int:
    """`steps`, halved until the points they record fit in LAUNCH_SNAPSHOT_BYTES; at least 1."""
    point_bytes = program.entries * descents.states.itemsize
    while steps > 1:
        due = constants.schedules.count(*constants.points_due(descents, alive, steps))
        if due * point_bytes <= LAUNCH_SNAPSHOT_BYTES:
            break
        steps //= 2
    return steps
