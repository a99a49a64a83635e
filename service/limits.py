"""Limits: what one run may ask for, and how a refusal says so."""

from collections.abc import Iterator, Sequence
from math import prod

from service.settings import Limits
from workers.runs.costs import most_points, most_steps, snapshot_bytes, trained_numbers
from workers.runs.engines import engine_misfit
from workers.runs.metrics import CATALOGUE
from workers.runs.models.resolved import ResolvedModel
from workers.runs.models.solved import SolvedBase
from workers.runs.spec import RunSpec

Path = tuple[str | int, ...]
Violation = tuple[Path, str]
Limited = tuple[Path, str, float, str]
"""The field to change, the subject of the sentence, the value, and the name of its limit."""


def exceeded(what: str, value: float, limits: Limits, name: str, instead: str = "ask for less") -> str:
    """The sentence of a refusal: what was asked, the limit, what to do, and the variable that raises the limit."""
    given, limit = (
        f"{number:,}" if isinstance(number, int) else f"{number:g}" for number in (value, getattr(limits, name))
    )
    return (
        f"{what} {given}, above the limit {name} of {limit}; "
        f"{instead}, or raise the limit by starting the service with RANKWARD_{name.upper()}."
    )


def first_violation(spec: RunSpec, limits: Limits) -> Violation | None:
    """The first limit that a run exceeds: the path of the field to change, and the sentence."""
    for part in spec.phase_specs:
        if misfit := engine_misfit(part):
            return ("engine",), misfit
    for path, subject, value, name in _limited(spec):
        if value > getattr(limits, name):
            return path, exceeded(subject, value, limits, name)
    return _solver_violation(spec, limits)


def _solver_violation(spec: RunSpec, limits: Limits) -> Violation | None:
    """The refusal of a solve that takes too much memory, which says what takes less."""
    problem, model, most = spec.problem, spec.model, limits.max_solver_bytes
    observed = problem.observation_count * (1 if problem.observes_entries else problem.sample_numbers)
    needed = model.solver_bytes(problem.shape, observed)
    if not isinstance(model, SolvedBase) or needed <= most:
        return None
    subject = f"The bytes of memory that the solver {model.solver_for(problem.shape)} takes here are about"
    path, advice = model.less_memory(problem.shape, observed, most)
    return path, exceeded(subject, needed, limits, "max_solver_bytes", advice)


def _limited(spec: RunSpec) -> Iterator[Limited]:
    """What is limited of a run."""
    yield ("stop", "max_steps"), "The steps of this run are", most_steps(spec), "max_steps_per_run"
    if spec.is_flow:
        yield ("stop", "max_time"), "The time of this run is", spec.max_time, "max_time_per_run"
    for number, part in enumerate(spec.phase_specs):
        for path, subject, value, name in _limited_in_phase(part):
            place = path if number == 0 or path[0] == "record" else ("phases", number - 1, *path)
            yield place, subject, value, name
    kept = snapshot_bytes(spec)
    yield ("record", "factors"), "The bytes of the factors that this run keeps are", kept, "max_snapshot_bytes"
    yield ("record",), "The points this run may record are", most_points(spec), "max_points_per_run"


def _limited_in_phase(spec: RunSpec) -> Iterator[Limited]:
    """What is limited of each phase of a run."""
    shape, trained = spec.problem.shape, trained_numbers(spec)
    yield ("problem",), "The entries of this product are", prod(shape), "max_product_entries"
    yield ("model",), "The trained numbers of this run are", trained, "max_trained_numbers"
    if spec.is_flow:
        yield ("model",), "The trained numbers of this flow are", trained, "max_flow_numbers"
    if isinstance(spec.model, ResolvedModel):
        yield from _of_contraction(spec.model, shape)
    yield ("problem",), "The numbers these observations take are", spec.problem.observed_numbers, "max_observed_numbers"
    held_out = spec.problem.held_out_numbers
    yield ("problem", "held_out"), "The numbers these held-out observations take are", held_out, "max_observed_numbers"
    for metric in CATALOGUE:
        if metric.limit is not None and metric.applies(spec):
            yield ("record", "metrics"), metric.limit.subject, metric.limit.value(spec), metric.limit.name
    rows = spec.model.semidefinite_size(shape)
    yield ("problem",), "The rows plus columns of this matrix of least nuclear norm are", rows, "max_semidefinite_size"


def _of_contraction(model: ResolvedModel, shape: Sequence[int]) -> Iterator[Limited]:
    """What is limited of a contraction: its price along the path on which its terms are contracted."""
    form = model.multilinear(shape)
    price = "The multiply-adds of one step of this contraction are"
    yield ("model",), price, form.multiply_adds, "max_contraction_multiply_adds"
    numbers = "The numbers between the factors and the product of this contraction are"
    yield ("model",), numbers, form.intermediate_numbers, "max_contraction_numbers"
    constants = sum(constant.size for constant in form.constants.values())
    yield ("model",), "The numbers in the constants of this contraction are", constants, "max_constant_numbers"
