"""Costs: upper limits of a run's work, points and memory, computed before it begins."""

from math import prod

import numpy as np

from workers.runs.metrics import gradients_per_point, multiply_adds_per_point
from workers.runs.schedules import count_flow_points, count_points, most_kept
from workers.runs.spec import RunSpec

SPARSE_BELOW = 1 / 10
"""Share of observed entries below which a CP factorisation computes only those. Measured on one core for order 4,
dimension 8, 512 components: dense products take 91 microseconds in float32 and 172 in float64; sparse products 57 and
115 for 100 of the 4096 entries, 94 and 185 for 500."""

SPARSE_FROM_ENTRIES = 1024
"""Entries below which a tensor is computed densely: its dense product costs less than the overhead of a sparse one."""

MULTIPLY_ADDS_PER_SECOND = 1e9
"""What one core does at least, where nothing has been measured yet."""

SPECTRUM_MULTIPLY_ADDS = 4
"""Multiply-adds of the singular values of an n x n matrix, over n^3."""

EVALUATIONS_PER_POINT = 3
"""Evaluations of the gradient that the metrics every run has take together, at most: products, gaps, determinants."""

POINT_SECONDS = 2e-5
"""Seconds that the metrics of a point of a small product take."""

SNAPSHOT_ROW_BYTES = 64
"""What a row of a snapshot takes beside its factors."""

FEWEST_STATES = 10
"""States in memory at once: those of the shortest chunk (`workers.lab.engines.descent.history`), and a gradient."""

WORKING_PER_STATE = 64
"""Most memory of a batch, over that of its states. Batches are sized by states, which should stay near the core: 2^19
numbers of states allow 2^25 in all, 256 MiB in float64. Twice the most that small factorisations take."""

FLOW_NUMBERS = 2**14
"""Weight of a flow in a batch's size; 32 flows fill a batch."""

ALONE_IN_BATCH = 2**62
"""More numbers than any batch may hold: a run of this weight has a batch to itself."""


def most_multiply_adds(spec: RunSpec) -> int:
    """The most multiply-adds of a run: those of its steps and of costly metrics, or an estimate for a solver.

    The steps of a flow are chosen by its solver and not counted.
    """
    if not spec.model.is_trained:
        return spec.model.solve_multiply_adds(spec.problem)
    points = most_points(spec)
    evaluations = most_steps(spec) + points * gradients_per_point(spec)
    return evaluations * multiply_adds_per_step(spec) + points * multiply_adds_per_point(spec)


def seconds_per_point(spec: RunSpec) -> float:
    """Seconds that the metrics of one recorded point take on one core, an estimate from above."""
    shape, evaluations = spec.problem.shape, EVALUATIONS_PER_POINT + gradients_per_point(spec)
    spectra = SPECTRUM_MULTIPLY_ADDS * prod(shape) * (sum(shape) if len(shape) > 2 else min(shape))
    measured = evaluations * multiply_adds_per_step(spec) + multiply_adds_per_point(spec)
    return POINT_SECONDS + (measured + spectra) / MULTIPLY_ADDS_PER_SECOND


def multiply_adds_per_step(spec: RunSpec) -> int:
    """Multiply-adds of one step: the model's product and gradient, the residuals and the update."""
    observed = spec.problem.multiply_adds(spec.loss.is_square) + spec.loss.multiply_adds * predicted_numbers(spec)
    update = (spec.optimizer.multiply_adds + spec.optimizer.decays()) * trained_numbers(spec)
    return spec.model.multiply_adds(spec.problem.shape) + observed + update


def predicted_numbers(spec: RunSpec) -> int:
    """Numbers of which a step computes the loss: the entries of the product, observed or not, or the measurements."""
    return prod(spec.problem.shape) if spec.problem.observes_entries else spec.problem.observation_count


def observes_few_entries(spec: RunSpec) -> bool:
    """Whether evaluating only the observed entries is cheaper than evaluating the full product."""
    entries = prod(spec.problem.shape)
    few = spec.problem.observation_count < SPARSE_BELOW * entries and entries >= SPARSE_FROM_ENTRIES
    return few and spec.model.evaluates_entries and spec.problem.observes_entries


def trained_numbers(spec: RunSpec) -> int:
    """Entries of all factors of one run."""
    return sum(prod(shape) for shape in spec.factor_shapes)


def most_steps(spec: RunSpec) -> int:
    """The most steps of a descent; 0 for a flow or a baseline, whose solver's steps are not counted."""
    return spec.max_steps if spec.descends else 0


def most_points(spec: RunSpec) -> int:
    """The most points that a run can record."""
    if not spec.model.is_trained:
        return spec.model.solver_points(spec.problem.shape)
    if spec.is_flow:
        return count_flow_points(spec.record.per_decade, spec.max_time)
    return count_points(spec.record, spec.max_steps)


def snapshot_bytes(spec: RunSpec) -> int:
    """Bytes of the factors that a run keeps on its way, at most."""
    return most_kept(spec) * (trained_numbers(spec) * np.dtype(spec.precision).itemsize + SNAPSHOT_ROW_BYTES)


def points_until(spec: RunSpec, step: int) -> int:
    """The most points that a run has recorded by a step; the steps of a flow number its points from 0."""
    return count_points(spec.record, step) if spec.descends else step + 1


def working_numbers(spec: RunSpec) -> int:
    """Numbers that a run keeps in memory while it steps: products, observations, gradients and a few states."""
    entries = prod(spec.problem.shape)
    observed = (4 if spec.problem.observes_entries else 2) * spec.problem.observed_numbers
    intermediate = spec.model.intermediate_numbers(spec.problem.shape)
    observed += spec.loss.working_numbers * predicted_numbers(spec)
    return intermediate + entries + observed + FEWEST_STATES * state_numbers(spec)


def batch_numbers(spec: RunSpec) -> int:
    """Weight of a run in a batch's size: the numbers in its state, or a share of its memory where that is larger.

    Flows are integrated singly, so their batches are kept small and other workers take the rest. A solver, whose time
    nothing cuts short, has a slice to itself.
    """
    if not spec.model.is_trained:
        return ALONE_IN_BATCH
    if spec.is_flow:
        return max(FLOW_NUMBERS, state_numbers(spec))
    return max(state_numbers(spec), working_numbers(spec) // WORKING_PER_STATE)


def state_numbers(spec: RunSpec) -> int:
    """Numbers in a run's state: its factors, and what its optimiser carries beside them."""
    return trained_numbers(spec) * spec.optimizer.slots + spec.optimizer.state_scalars
