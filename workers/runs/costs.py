"""Costs: what a run may take at most, said before it begins."""

from math import prod

from workers.runs.schedules import count_flow_points, count_points
from workers.runs.spec import RunSpec

SPARSE_BELOW = 1 / 10
"""Share of observed entries below which a CP factorisation computes only those. Measured on one core for order 4,
dimension 8, 512 components: the products of whole matrices take 91 microseconds in float32 and 172 in float64; sparse
ones 57 and 115 for 100 of the 4096 entries, 94 and 185 for 500."""

SPARSE_FROM_ENTRIES = 1024
"""Smaller tensors are computed whole: what a sparse product costs before its first entry is more than they cost."""


FEWEST_STATES = 10
"""States in memory at once: a gradient, and the shortest chunk of steps (`workers.lab.engines.descent.history`)."""

WORKING_PER_STATE = 64
"""Batches are sized by states, which should stay near the core. A batch may hold this many times as much in all: 2^25
numbers where the states may be 2^19, 256 MiB in float64. Twice the most that small factorisations take."""

FLOW_NUMBERS = 2**14
"""What a flow counts for when a batch is sized: 32 of them make one."""

A_WHOLE_BATCH = 2**62
"""More numbers than any batch may hold: a run that counts for so many is alone in its own."""

MOST_HESSIAN_PRODUCTS = 200
"""Products with a Hessian after which the search for its largest eigenvalue is given up."""

GRADIENTS_PER_HESSIAN_PRODUCT = 3
"""What a product with a Hessian costs: every product of the gradient is differentiated in both of its factors."""

SOLVER_ITERATIONS = 1000
"""About what a first-order solver takes."""


def most_multiply_adds(spec: RunSpec) -> int:
    """The most multiply-adds of a run: its steps and what is measured beside them, or about those of a solver.

    The steps of a flow are its solver's own and not counted.
    """
    if not spec.model.is_trained:
        return SOLVER_ITERATIONS * spec.model.multiply_adds(spec.problem.shape)
    steps = most_steps(spec)
    if "sharpness" in spec.record.metrics:
        products = min(trained_numbers(spec), MOST_HESSIAN_PRODUCTS)
        steps += most_points(spec) * products * GRADIENTS_PER_HESSIAN_PRODUCT
    return steps * multiply_adds_per_step(spec)


def multiply_adds_per_step(spec: RunSpec) -> int:
    """Multiply-adds of one step: the products of the model and their gradients, the residuals and the update."""
    entries = prod(spec.problem.shape)
    observed = entries if spec.problem.observes_entries else 2 * spec.problem.observation_count * entries
    update = spec.optimizer.multiply_adds * trained_numbers(spec)
    return spec.model.multiply_adds(spec.problem.shape) + observed + update


def observes_few_entries(spec: RunSpec) -> bool:
    """Whether the observed entries are cheaper to evaluate by themselves than the product as a whole."""
    entries = prod(spec.problem.shape)
    few = spec.problem.observation_count < SPARSE_BELOW * entries and entries >= SPARSE_FROM_ENTRIES
    return few and spec.model.evaluates_entries and spec.problem.observes_entries


def trained_numbers(spec: RunSpec) -> int:
    """Entries of all factors of one run."""
    return sum(prod(shape) for shape in spec.factor_shapes)


def most_steps(spec: RunSpec) -> int:
    """The most steps of a descent; those of a flow's solver, or a baseline's, are not counted."""
    return spec.max_steps if spec.descends else 0


def most_points(spec: RunSpec) -> int:
    """The most points one run can record."""
    if not spec.model.is_trained:
        return 1
    if spec.is_flow:
        return count_flow_points(spec.record.points_per_decade or 1, spec.max_time)
    return count_points(spec.record, spec.max_steps)


def points_until(spec: RunSpec, step: int) -> int:
    """The most points that a run has recorded by a step; a flow's steps are the numbers of its points."""
    return count_points(spec.record, step) if spec.descends else step + 1


def working_numbers(spec: RunSpec) -> int:
    """Numbers that one run keeps in memory while it steps: products, observations, gradients and a few states."""
    entries = prod(spec.problem.shape)
    observed = 4 * entries if spec.problem.observes_entries else spec.problem.observation_count * entries
    intermediate = spec.model.intermediate_numbers(spec.problem.shape)
    return intermediate + entries + observed + FEWEST_STATES * state_numbers(spec)


def batch_numbers(spec: RunSpec) -> int:
    """What a run counts for when a batch is sized: its state, or a share of its memory where that is larger.

    Flows are integrated one by one, so a batch of them is kept small for other workers to take the rest. A solver,
    whose time nothing cuts short, has a slice of its own.
    """
    if not spec.model.is_trained:
        return A_WHOLE_BATCH
    if spec.is_flow:
        return max(FLOW_NUMBERS, state_numbers(spec))
    return max(state_numbers(spec), working_numbers(spec) // WORKING_PER_STATE)


def state_numbers(spec: RunSpec) -> int:
    """Numbers in one run's state: its factors, and what its optimiser carries beside them."""
    return trained_numbers(spec) * spec.optimizer.slots + spec.optimizer.scalars


def observed_numbers(spec: RunSpec) -> int:
    """Numbers that describe one run's observations in memory."""
    entries = prod(spec.problem.shape)
    return entries if spec.problem.observes_entries else spec.problem.observation_count * entries
