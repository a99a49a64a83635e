"""Costs: what a run may take at most, said before it begins."""

from math import prod

from workers.schedules import count_points
from workers.specs import RunSpec
from workers.specs.problems import observation_count, observes_entries


def multiply_adds_per_step(spec: RunSpec) -> int:
    """Multiply-adds of one step: 3 (L - 1) matrix products, the residuals and the update."""
    rows, columns = spec.problem.shape
    one_pass = sum(rows * inner * outer for inner, outer in spec.factor_shapes[1:])
    observed = (
        rows * columns if observes_entries(spec.problem) else 2 * observation_count(spec.problem) * rows * columns
    )
    return 3 * one_pass + observed + trained_numbers(spec)


def trained_numbers(spec: RunSpec) -> int:
    """Entries of all factors of one run."""
    return sum(prod(shape) for shape in spec.factor_shapes)


def most_points(spec: RunSpec) -> int:
    """The most points one run can record."""
    return count_points(spec.record, spec.stop.max_steps)


def state_numbers(spec: RunSpec) -> int:
    """Numbers in one run's state: its factors, and as many again for every vector its optimiser carries."""
    return trained_numbers(spec) * spec.optimizer.slots


def observed_numbers(spec: RunSpec) -> int:
    """Numbers that describe one run's observations in memory."""
    entries = prod(spec.problem.shape)
    return entries if observes_entries(spec.problem) else observation_count(spec.problem) * entries
