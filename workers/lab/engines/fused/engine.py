"""The fused engine: many steps of many small factorisations in one launch, the same to the bit however they are cut.

A launch takes every run a number of steps further. Within it, the step loop, the stop test at every step, the
milestones and the recording all run in compiled code (`fused_text`, `fused_source`) with the factors in registers;
between launches, runs that are over leave, the others close ranks, and the clock is read.
"""

import time

import numpy as np

from workers.lab.engines.descents import Clock, Descents, Snapshots
from workers.lab.engines.fused.kernels import launch
from workers.lab.engines.fused.launches import Constants, lay_out, read_back
from workers.lab.engines.fused.source import Program, update_of

LAUNCH_SECONDS = 0.25
"""How long a launch should last: the clock cannot be read within one."""

FIRST_LAUNCH = 2**11
"""Steps of blocks in the first launch, which measures the pace."""

LAUNCH_SNAPSHOT_BYTES = 16 * 2**20
"""Factors that one launch may record; it is cut short where the schedules ask for more."""

LANES = {"float64": 8, "float32": 16}
"""Runs side by side in a block on a CPU: what fills a 512-bit vector."""


def advance(descents: Descents, clock: Clock, device: str) -> Snapshots:
    """Advance all unfinished descents until the clock stops them; finished ones leave the batch."""
    snapshots = Snapshots()
    if not len(descents.unfinished()):
        return snapshots
    constants, pace = Constants(descents.specs), _Pace()
    while len(alive := descents.unfinished()) and not snapshots.full:
        program = _program(descents, len(alive), device)
        blocks = -(-len(alive) // program.lanes)
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
    """Seconds per step of one block, from the last launch (compiling counts once and is corrected by the next)."""

    def __init__(self) -> None:
        self._seconds_per_step = LAUNCH_SECONDS / FIRST_LAUNCH

    def steps(self, blocks: int, seconds_left: float) -> int:
        """Steps that take about LAUNCH_SECONDS, or the seconds left where these are fewer; at least 1."""
        return max(1, int(min(LAUNCH_SECONDS, seconds_left) / (self._seconds_per_step * blocks)))

    def note(self, steps: int, seconds: float) -> None:
        self._seconds_per_step = seconds / max(steps, 1)


def _program(descents: Descents, runs: int, device: str) -> Program:
    """What runs on the device: lanes only where there is no thread per run, and more than one run."""
    spec = descents.specs[0]
    lanes = LANES[spec.precision] if device == "cpu" and runs > 1 else 1
    slots, update = spec.optimizer.slots, update_of(spec)
    return Program(spec.factor_shapes, slots, update, spec.precision, lanes, spec.model.is_symmetric)


def _recordable(descents: Descents, constants: Constants, alive: np.ndarray, program: Program, steps: int) -> int:
    """The most of `steps`, by halves, whose recorded points fit in LAUNCH_SNAPSHOT_BYTES; at least 1."""
    point_bytes = program.entries * descents.states.itemsize
    while steps > 1:
        due = constants.schedules.count(*constants.points_due(descents, alive, steps))
        if due * point_bytes <= LAUNCH_SNAPSHOT_BYTES:
            break
        steps //= 2
    return steps
