"""Costs: upper limits of a run's work, points and memory, computed before it begins."""

from math import prod

import numpy as np

from workers.runs.metrics import gradients_per_point, multiply_adds_per_point
from workers.runs.noise import disturbs_observations, gradient_noise_of, label_noise_of, minibatch_of
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

DRAW_MULTIPLY_ADDS = {"normal": 40, "rademacher": 4}
"""What a draw of noise takes, in multiply-adds, with its way to the signal; 40 ns of a core and 3 ns were measured."""

SHARE_MULTIPLY_ADDS = 10
"""What the share of a sample in a mini-batch takes: 5 to 10 ns of a core."""

FEWEST_ROWS = 2
"""Rows of a table of draws in memory at once (`workers.lab.disturbances`)."""

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
    of_steps = sum(most_steps(part) * multiply_adds_per_step(part) for part in spec.phase_specs)
    return of_steps + points * max(map(_multiply_adds_at_a_point, spec.phase_specs))


def _multiply_adds_at_a_point(spec: RunSpec) -> int:
    return gradients_per_point(spec) * multiply_adds_per_step(spec) + multiply_adds_per_point(spec)


def seconds_per_point(spec: RunSpec) -> float:
    """Seconds that the metrics of one recorded point take on one core, an estimate from above."""
    shape, evaluations = spec.problem.shape, EVALUATIONS_PER_POINT + gradients_per_point(spec)
    spectra = SPECTRUM_MULTIPLY_ADDS * prod(shape) * (sum(shape) if len(shape) > 2 else min(shape))
    measured = evaluations * multiply_adds_per_step(spec) + multiply_adds_per_point(spec)
    return POINT_SECONDS + (measured + spectra) / MULTIPLY_ADDS_PER_SECOND


def multiply_adds_per_step(spec: RunSpec) -> int:
    """Multiply-adds of one step: the model's product and gradient, the residuals, the update, and what is drawn.

    Where steps see other observations than the loss, measurements are not reduced.
    """
    is_reduced = spec.loss.is_square and not disturbs_observations(spec)
    observed = spec.problem.multiply_adds(is_reduced) + spec.loss.multiply_adds * predicted_numbers(spec)
    evaluation = spec.model.multiply_adds(spec.problem.shape) + observed
    update = spec.optimizer.update_multiply_adds(spec.factor_shapes) + spec.optimizer.decays() * trained_numbers(spec)
    return spec.optimizer.evaluations * evaluation + update + draws_multiply_adds(spec)


def draws_multiply_adds(spec: RunSpec) -> int:
    """Multiply-adds of one step that draw its mini-batch and its noise."""
    shares = SHARE_MULTIPLY_ADDS * spec.problem.sample_count if minibatch_of(spec) else 0
    noise = spec.descent.noise if spec.descends else None
    if noise is None:
        return shares
    drawn = spec.problem.observation_count if noise.kind == "label" else trained_numbers(spec)
    return shares + DRAW_MULTIPLY_ADDS[noise.distribution] * drawn


def draws_numbers(spec: RunSpec) -> int:
    """Numbers that a step reads for its mini-batch and its noise, with those of entries that are not observed."""
    of_observations = bool(minibatch_of(spec)) + bool(label_noise_of(spec))
    return of_observations * predicted_numbers(spec) + bool(gradient_noise_of(spec)) * trained_numbers(spec)


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
    return spec.most_steps if spec.descends else 0


def most_points(spec: RunSpec) -> int:
    """The most points that a run can record."""
    if not spec.model.is_trained:
        return spec.model.solver_points(spec.problem.shape)
    if spec.is_flow:
        return count_flow_points(spec.record.per_decade, spec.max_time)
    return count_points(spec.record, spec.most_steps) + _ends_of_phases(spec)


def snapshot_bytes(spec: RunSpec) -> int:
    """Bytes of the factors that a run keeps on its way, at most."""
    return most_kept(spec) * (trained_numbers(spec) * np.dtype(spec.precision).itemsize + SNAPSHOT_ROW_BYTES)


def points_until(spec: RunSpec, step: int) -> int:
    """The most points that a run has recorded by a step; the steps of a flow number its points from 0."""
    return count_points(spec.record, step) + _ends_of_phases(spec) if spec.descends else step + 1


def _ends_of_phases(spec: RunSpec) -> int:
    """Points that are recorded because a phase ends there, at most."""
    return len(spec.phases or ())


def working_numbers(spec: RunSpec) -> int:
    """Numbers that a run keeps in memory while it steps: products, observations, gradients and a few states."""
    entries = prod(spec.problem.shape)
    observed = (4 if spec.problem.observes_entries else 2) * spec.problem.observed_numbers
    intermediate = spec.model.intermediate_numbers(spec.problem.shape)
    observed += spec.loss.working_numbers * predicted_numbers(spec)
    return intermediate + entries + observed + FEWEST_STATES * state_numbers(spec) + FEWEST_ROWS * draws_numbers(spec)


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
    matrices = sum(map(prod, spec.optimizer.matrices(spec.factor_shapes)))
    return trained_numbers(spec) * spec.optimizer.slots + matrices + spec.optimizer.state_scalars
