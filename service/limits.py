"""Limits: what one run may ask for, and how a refusal says so."""

from math import prod

from service.settings import Limits
from workers.runs.costs import most_points, most_steps, observed_numbers, trained_numbers
from workers.runs.engines import engine_misfit
from workers.runs.metrics import metrics_of
from workers.runs.spec import RunSpec

Violation = tuple[tuple[str, ...], str]


def exceeded(what: str, value: float, limits: Limits, name: str) -> str:
    """The sentence of a refusal: what was asked, the limit, and the variable that raises it."""
    asked, limit = (f"{one:,}" if isinstance(one, int) else f"{one:g}" for one in (value, getattr(limits, name)))
    return (
        f"{what} {asked}, above the limit {name} of {limit}; "
        f"ask for less, or raise the limit by starting the service with RANKWARD_{name.upper()}."
    )


def first_violation(spec: RunSpec, limits: Limits) -> Violation | None:
    """The first limit that a run exceeds: the path of the field to change, and the sentence."""
    if misfit := engine_misfit(spec):
        return ("engine",), misfit
    measured = trained_numbers(spec) if "sharpness" in metrics_of(spec) else 0
    solved = spec.model.semidefinite_size(spec.problem.shape)
    checks = (
        (("stop", "max_steps"), "The steps of this run are", most_steps(spec), "max_steps_per_run"),
        (("stop", "max_time"), "The time of this run is", spec.max_time if spec.is_flow else 0, "max_time_per_run"),
        (("problem",), "The entries of this product are", prod(spec.problem.shape), "max_product_entries"),
        (("model",), "The trained numbers of this run are", trained_numbers(spec), "max_trained_numbers"),
        (
            ("model",),
            "The trained numbers of this flow are",
            trained_numbers(spec) if spec.is_flow else 0,
            "max_flow_numbers",
        ),
        (
            ("problem",),
            "The numbers these observations take are",
            observed_numbers(spec),
            "max_observed_numbers",
        ),
        (
            ("record", "metrics"),
            "The trained numbers of this run, whose sharpness is asked for, are",
            measured,
            "max_sharpness_numbers",
        ),
        (
            ("problem",),
            "The rows plus columns of this matrix of least nuclear norm are",
            solved,
            "max_semidefinite_size",
        ),
    )
    for path, what, value, name in checks:
        if value > getattr(limits, name):
            return path, exceeded(what, value, limits, name)
    if (points := most_points(spec)) > limits.max_points_per_run:
        return ("record",), exceeded("The points this run may record are", points, limits, "max_points_per_run")
    return None
