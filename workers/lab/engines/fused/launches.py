"""Launches of the fused engine: runs laid out in blocks of lanes, and read back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.descents import Descents, Snapshots, carried_times
from workers.lab.engines.fused.columns import workspace_numbers
from workers.lab.engines.fused.measurements import Measurements
from workers.lab.engines.fused.program import (
    CONVERGED,
    DISTURBANCES,
    DIVERGED,
    EXHAUSTED,
    FRESH,
    GOING,
    OVER,
    Manner,
    Program,
    Terms,
)
from workers.lab.engines.fused.sharing import new_desk
from workers.lab.engines.fused.source import update_of
from workers.lab.engines.fused.tables import Tables
from workers.lab.engines.recording import Schedules
from workers.lab.engines.stopping import NEVER
from workers.lab.losses import maths_of
from workers.records import Outcome
from workers.runs.milestones import LOSS_DECADES, decades_reached
from workers.runs.models.diagonal import Diagonal
from workers.runs.noise import gradient_noise_of, label_noise_of, minibatch_of
from workers.runs.observations import observe, observe_entries
from workers.runs.rates import Polyak
from workers.runs.schedules import due_steps
from workers.runs.snapshots import kept_steps
from workers.runs.spec import RunSpec

Array = npt.NDArray[Any]
OUTCOMES = {CONVERGED: Outcome.CONVERGED, EXHAUSTED: Outcome.BUDGET_EXHAUSTED, DIVERGED: Outcome.DIVERGED}


class Constants:
    """Constants of the runs of a batch, by the names of the kernel's arguments, each (runs, ...).

    The kernel stores the state of every due step: those of points, and those whose factors are kept.
    """

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        dtype = np.dtype(specs[0].precision)
        observed = [_observed(spec) for spec in specs]
        self.manner = manner_of(specs)
        program = program_like(specs[0], self.manner)
        self.tables = Tables(specs, program)
        self.max_steps = np.array([spec.max_steps for spec in specs], dtype=np.int64)
        self.schedules, self.kept = Schedules(specs), Schedules(specs, kept_steps)
        self.due = Schedules(specs, due_steps)
        self.thresholds = _not_below([*map(float, LOSS_DECADES), 0.0], dtype)
        self.arrays: dict[str, Array] = {
            "targets": np.array(
                [spec.loss.targets(values) for spec, (values, _) in zip(specs, observed, strict=True)], dtype=dtype
            ),
            "weights": np.array(
                [_weights(spec, *numbers) for spec, numbers in zip(specs, observed, strict=True)], dtype
            ),
            "constants": np.array([_constants(spec, program) for spec in specs], dtype=dtype),
            "limits": _not_below([spec.stop.loss_below or 0.0 for spec in specs], dtype),
            "last_steps": self.max_steps,
        }
        self.measurements = Measurements(specs, dtype)

    def steps_left(self, descents: Descents, alive: Array) -> int:
        """Steps until the last of the runs is at its end, at least 1: tables beyond them would be read by none."""
        return max(1, int((self.max_steps - descents.steps)[alive].max()))

    def steps_due(self, descents: Descents, alive: Array, steps: int) -> tuple[Array, Array]:
        """Bounds (after, until] of the steps that each run passes in a launch; empty for runs that are over."""
        # A run that has not begun passes step 0 as well: its lower bound is -1.
        after = np.full(len(descents.steps), NEVER, dtype=np.int64)
        after[alive] = descents.steps[alive] - ~descents.begun[alive]
        return after, np.minimum(descents.steps + steps, self.max_steps)


def _observed(spec: RunSpec) -> tuple[Array, Array]:
    """The observed numbers of a run, and which of them count."""
    if spec.problem.observes_entries:
        entries = observe_entries(spec.problem)
        return entries.values, entries.mask
    values = observe(spec.problem).values
    return values, np.ones(values.shape, dtype=bool)


def _weights(spec: RunSpec, values: Array, mask: Array) -> Array:
    return spec.loss.weights(values, spec.problem.observation_count) * mask


def manner_of(specs: Sequence[RunSpec]) -> Manner:
    """How the steps of a batch are taken; beside runs with a schedule, constant rates come from a table, too."""
    first, count = specs[0].descent, len(specs[0].factor_shapes)
    of_run = (label_noise_of(specs[0]), minibatch_of(specs[0]), gradient_noise_of(specs[0]))
    disturbances = zip(DISTURBANCES, of_run, strict=True)
    scheduled = any(spec.constant_learning_rate is None for spec in specs)
    return Manner(
        rates="adaptive" if first.rates.is_adaptive else "table" if scheduled else "constant",
        decay=first.decay_word,
        is_factored=any(set(spec.descent.factors_of_rate(count)) != {1.0} for spec in specs),
        frozen=tuple(sorted(first.frozen or ())),
        disturbances=tuple(name for name, part in disturbances if part is not None),
    )


def program_like(spec: RunSpec, manner: Manner) -> Program:
    """The program of a batch with a run alone in a block, whose layout is not chosen yet."""
    slots, scalars, is_symmetric = spec.optimizer.slots, spec.optimizer.scalars, spec.model.is_symmetric
    update = update_of(spec)
    shapes = tuple((prod(shape[:-1]), shape[-1]) for shape in spec.factor_shapes)
    parts = (shapes, slots, update, spec.precision, 1, is_symmetric)
    samples = 0 if spec.problem.observes_entries else spec.problem.observation_count
    program = Program(*parts, loss=maths_of(spec.loss).fused, scalars=scalars, manner=manner, samples=samples)
    if not isinstance(spec.model, Diagonal):
        return program
    return replace(program, diagonal=_terms(spec.model, spec.problem.shape))


def _terms(model: Diagonal, shape: Sequence[int]) -> Terms:
    form = model.multilinear(shape)
    return tuple((term.sign, tuple(form.names.index(name) for name in term.of)) for term in form.terms)


def _constants(spec: RunSpec, program: Program) -> list[float]:
    """The constants of a run in the order of `Program.constants`."""
    optimizer, rate = spec.descent, spec.descent.learning_rate
    factors = enumerate(optimizer.factors_of_rate(len(program.shapes)))
    values = {f"factor_rate{number}": factor for number, factor in factors}
    if isinstance(rate, Polyak):
        largest = float(np.finfo(spec.precision).max)
        values |= {"minimum": rate.minimum, "most": min(rate.most or largest, largest)}
    values |= {f"loss_{name}": getattr(spec.loss, name) for name in program.loss.constants}
    return [values[name] if name in values else getattr(optimizer, name) for name in program.constants]


def _not_below(limits: Sequence[float], dtype: np.dtype[Any]) -> Array:
    """Limits rounded up to the run's precision; a loss of that precision is below a limit and its rounding alike."""
    exact = np.array(limits)
    rounded = exact.astype(dtype)
    return np.where(rounded < exact, np.nextafter(rounded, dtype.type(np.inf)), rounded)


@dataclass(frozen=True)
class Launch:
    """Runs laid out for one launch; lanes that fill up the last block are over from the start.

    Attributes:
        members: positions of the runs in the batch, (runs,).
        blocks: how many blocks they fill.
        arrays: the kernel's arguments, which it overwrites.
        due_begin: (runs,), index of each run's first point among all due points.
    """

    members: npt.NDArray[np.int64]
    blocks: int
    arrays: dict[str, Array]
    due_begin: npt.NDArray[np.int64]

    @property
    def steps_taken_by_blocks(self) -> npt.NDArray[np.int64]:
        """Most steps taken by a lane of each block, (blocks,)."""
        return (self.arrays["taken_steps"] - self.arrays["first_steps"]).reshape(self.blocks, -1).max(axis=1)


def lay_out(
    descents: Descents, constants: Constants, members: npt.NDArray[np.int64], program: Program, steps: int
) -> Launch:
    """The arguments of a launch that takes at most `steps` steps with each of `members`."""
    blocks = -(-len(members) // program.lanes)
    members = constants.tables.sorted(members, descents.steps)
    lanes = np.pad(members, (0, blocks * program.lanes - len(members)), mode="edge")  # the last run fills up its block
    due = constants.due.due(*constants.steps_due(descents, members, steps))
    arrays: dict[str, Array] = {name: array[lanes] for name, array in constants.arrays.items()}
    arrays |= {"thresholds": constants.thresholds, **constants.measurements.arrays(program, lanes)}
    arrays |= {"workspace": _workspace(program), "desk": new_desk()}
    arrays |= _progress_of_lanes(descents, lanes, len(members))
    arrays |= _due_points(due, lanes, program, descents.states.dtype)
    arrays |= constants.tables.arrays(lanes, descents.steps, steps, descents.states.dtype)
    # The kernel advances `due` in place, so where each run's points begin is kept as a copy.
    return Launch(members, blocks, arrays, arrays["due"][: len(members)].copy())


def _workspace(program: Program) -> Array:
    """Memory of a step in the layout by columns, which runs use in turn."""
    numbers = workspace_numbers(program) if program.layout == "columns" else 1
    return np.empty(numbers, dtype=program.precision)


def _progress_of_lanes(descents: Descents, lanes: npt.NDArray[np.int64], runs: int) -> dict[str, Array]:
    """State, status and milestones of each lane; lanes from `runs` on are over."""
    status = np.where(descents.begun[lanes], GOING, FRESH).astype(np.int32)
    status[runs:] = OVER
    states, milestones = np.ascontiguousarray(descents.states[lanes]), descents.milestones[lanes]
    return {
        "states": states,
        "losses": np.zeros(len(lanes), dtype=states.dtype),
        "status": status,
        "milestones": milestones,
        "reached": decades_reached(milestones).astype(np.int32),
        "first_steps": descents.steps[lanes],
        "taken_steps": descents.steps[lanes],
    }


def _due_points(
    due: tuple[Array, Array], lanes: npt.NDArray[np.int64], program: Program, dtype: np.dtype[Any]
) -> dict[str, Array]:
    """Due points run by run, the range [due, due_end) of each lane among them, and space for what they record.

    Args:
        due: runs and steps of the points, each (points,), in the order of `Schedules.due`.
    """
    order = np.argsort(due[0], kind="stable")  # `Schedules.due` lists schedule by schedule, each with its runs in order
    runs, steps = due[0][order], due[1][order]
    return {
        "due": np.searchsorted(runs, lanes).astype(np.int64),
        "due_end": np.searchsorted(runs, lanes, side="right").astype(np.int64),
        "due_steps": steps,
        "due_losses": np.zeros(len(runs), dtype=dtype),
        "due_factors": np.zeros((len(runs), program.entries), dtype=dtype),
        "due_times": np.zeros((len(runs), program.times), dtype=dtype),
    }


def read_back(launch: Launch, descents: Descents, constants: Constants, snapshots: Snapshots) -> None:
    """Enter the states of the runs after a launch, and the points that they recorded."""
    members, arrays = launch.members, launch.arrays
    used = slice(len(members))
    descents.states[members] = arrays["states"][used]
    descents.steps[members] = arrays["taken_steps"][used]
    descents.milestones[members] = arrays["milestones"][used]
    descents.begun[members] = True
    status = arrays["status"][used]
    over = np.nonzero(status != GOING)[0]
    for lane in over:
        descents.outcomes[members[lane]] = OUTCOMES[int(status[lane])]
    _add_points(launch, constants, snapshots)
    _add_last_points(launch, over, descents, constants, snapshots)


def _add_points(launch: Launch, constants: Constants, snapshots: Snapshots) -> None:
    """Add the due points and the factors to be kept that each run reached; they are the first ones of its range."""
    counts = launch.arrays["due"][: len(launch.members)] - launch.due_begin
    if counts.any():
        starts = np.repeat(launch.due_begin - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        points = starts + np.arange(counts.sum())
        member = np.repeat(launch.members, counts)
        step, loss, factors = (launch.arrays[name][points] for name in ("due_steps", "due_losses", "due_factors"))
        times = _times(launch.arrays["due_times"][points])
        if constants.kept.are_empty:
            snapshots.add(member, step, loss, factors, **times)
            return
        kept, recorded = constants.kept.hold(member, step), constants.schedules.hold(member, step)
        snapshots.keep(member[kept], step[kept], factors[kept])
        if recorded.any():
            times = {name: values[recorded] for name, values in times.items()}
            snapshots.add(member[recorded], step[recorded], loss[recorded], factors[recorded], **times)


def _add_last_points(
    launch: Launch, over: npt.NDArray[np.int64], descents: Descents, constants: Constants, snapshots: Snapshots
) -> None:
    """Add the last step of each lane in `over`, unless its schedule has that step: then it is recorded already."""
    scheduled = constants.schedules.contain(descents.steps)
    last = over[~scheduled[launch.members[over]]]
    if len(last):
        members, arrays = launch.members[last], launch.arrays
        entries, times = (arrays[name].shape[1] for name in ("due_factors", "due_times"))
        states = arrays["states"][last]
        carried = _times(states[:, states.shape[1] - times :])
        snapshots.add(members, descents.steps[members], arrays["losses"][last], states[:, :entries], **carried)


def _times(numbers: Array) -> dict[str, Array]:
    """The column of times that states carry (points, numbers); none where they carry none."""
    return {"time": carried_times(numbers)} if numbers.shape[1] else {}
