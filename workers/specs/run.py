"""What a run is: one problem, one model, one start, one optimiser, and when to stop."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Count, Listed, Natural, Positive, SpecModel, check_index, check_matrix, misfit
from workers.specs.models import CpTensor, DeepMatrix, Model
from workers.specs.optimizers import Optimizer
from workers.specs.problems import Index, Problem
from workers.specs.starts import Explicit, Gaussian, Identity, Start

Loss = Literal["half_sse", "mse"]
Engine = Literal["auto", "fused", "torch"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float64", "float32"]
ExtraMetric = Literal[
    "determinant",
    "schatten_quasi_norm",
    "numerical_rank",
    "matricisation_ranks",
    "matricisation_effective_ranks",
    "rank",
]
DEFAULT_POINTS_PER_DECADE = 100

MOST_RANKED_ENTRIES = 2**13
"""Larger products are not ranked: one fit takes longer than a slice should."""


class Stop(SpecModel, frozen=True):
    """Stop after `max_steps`, or once the loss is strictly below `loss_below`.

    The loss is checked at every step and the first check that holds ends the run, unless told otherwise: checked at
    the multiples of `check_every` only, and over after `checks_in_a_row` checks that hold. The authors' tensor
    experiments check every 100 steps and ask for three in a row, so that they descend for at least 200 steps more.
    """

    max_steps: Natural
    loss_below: Positive | None = None
    check_every: Count = 1
    checks_in_a_row: Count = 1

    @property
    def at_first_step_below(self) -> bool:
        """Whether the first step below the limit ends the run."""
        return self.check_every == self.checks_in_a_row == 1

    @model_validator(mode="after")
    def _checks_of_a_limit(self) -> Self:
        if self.loss_below is None and not self.at_first_step_below:
            raise misfit(("loss_below",), "Say which loss is checked: give loss_below.")
        return self


class Record(SpecModel, frozen=True):
    """Which steps are stored: so many per decade of steps, or every so many; step 0 and the last step always."""

    points_per_decade: Annotated[Count, Field(le=10_000)] | None = None
    every: Count | None = None
    metrics: Annotated[tuple[ExtraMetric, ...], Listed] = ()
    entries: Annotated[tuple[Index, ...], Listed, Field(max_length=1000)] = ()

    @model_validator(mode="before")
    @classmethod
    def _log_spaced_by_default(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("every") is None and value.get("points_per_decade") is None:
            return {**value, "points_per_decade": DEFAULT_POINTS_PER_DECADE}
        return value

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if self.every is not None and self.points_per_decade is not None:
            raise misfit(("every",), "Give either points_per_decade or every, not both.")
        return self


def _usual_loss(fields: dict[str, Any]) -> Loss:
    """Half the sum of squares for matrices, their mean for tensors of order 3 and up."""
    problem = fields.get("problem")
    return "mse" if problem is not None and len(problem.shape) > 2 else "half_sse"


class RunSpec(SpecModel, frozen=True):
    """Everything that decides what a run computes; the same spec and seed give the same result."""

    problem: Problem
    model: Model
    init: Start
    optimizer: Optimizer
    stop: Stop
    record: Record = Record(points_per_decade=DEFAULT_POINTS_PER_DECADE)
    loss: Loss = Field(default_factory=_usual_loss)
    engine: Engine = "auto"
    device: Device = "auto"
    precision: Precision = "float64"
    seed: Natural = 0

    @property
    def factor_shapes(self) -> tuple[tuple[int, int], ...]:
        """Shapes of the factors, first to last."""
        return self.model.factor_shapes(self.problem.shape)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        _check_model(self)
        _check_start(self)
        for number, index in enumerate(self.record.entries):
            check_index(index, self.problem.shape, ("record", "entries", number))
        _check_metrics(self)
        return self

    def resolved(self) -> dict[str, Any]:
        """The spec as JSON values, defaults filled in."""
        return self.model_dump(mode="json", exclude_none=True)


def _check_model(spec: RunSpec) -> None:
    if isinstance(spec.model, DeepMatrix) and (order := len(spec.problem.shape)) > 2:
        raise misfit(
            ("model", "kind"), f"A deep_matrix has two dimensions and this problem has {order}; use a cp_tensor."
        )


def _check_metrics(spec: RunSpec) -> None:
    shape, asked = spec.problem.shape, spec.record.metrics
    if "determinant" in asked and (len(shape) > 2 or min(shape) != max(shape)):
        raise misfit(("record", "metrics"), "Only a square product has a determinant; leave the metric out.")
    for name in ("schatten_quasi_norm", "numerical_rank"):
        if name in asked and len(shape) > 2:
            raise misfit(("record", "metrics"), f"The metric {name!r} is one of matrices; leave it out.")
    if "rank" in asked and (entries := prod(shape)) > MOST_RANKED_ENTRIES:
        raise misfit(
            ("record", "metrics"),
            f"This product has {entries:,} entries and ranks are found up to {MOST_RANKED_ENTRIES:,}; leave it out.",
        )
    if any(name.startswith("matricisation") for name in asked) and not isinstance(spec.model, CpTensor):
        raise misfit(("record", "metrics"), "Matricisation ranks are those of a cp_tensor; leave the metric out.")


def _check_start(spec: RunSpec) -> None:
    if isinstance(spec.model, CpTensor):
        _check_start_of_components(spec.init)
    match spec.init:
        case Explicit(factors=factors):
            _check_factors(factors, spec.factor_shapes)
        case Gaussian(determinant="positive" | "negative"):
            _check_determinant(spec)
        case _:
            pass


def _check_start_of_components(start: Start) -> None:
    match start:
        case Identity():
            raise misfit(("init", "kind"), "An identity start is one of deep_matrix; use a gaussian or explicit start.")
        case Gaussian(balanced=True):
            raise misfit(("init", "balanced"), "Balanced starts are those of deep_matrix; leave balanced out here.")
        case Gaussian(determinant="positive" | "negative"):
            raise misfit(("init", "determinant"), "A cp_tensor is not drawn by its determinant; ask for 'any'.")
        case _:
            pass


def _check_factors(factors: Sequence[Sequence[Sequence[float]]], shapes: Sequence[tuple[int, int]]) -> None:
    if len(factors) != len(shapes):
        raise misfit(
            ("init", "factors"), f"The model has {len(shapes)} factors and {len(factors)} are given; give one for each."
        )
    for number, (factor, shape) in enumerate(zip(factors, shapes, strict=True)):
        check_matrix(factor, shape, ("init", "factors", number))


def _check_determinant(spec: RunSpec) -> None:
    rows, columns = spec.problem.shape[0], spec.problem.shape[-1]
    if rows != columns:
        raise misfit(
            ("init", "determinant"), f"A {rows} x {columns} product has no determinant; ask for the sign 'any'."
        )
    if min(min(shape) for shape in spec.factor_shapes) < rows:
        raise misfit(
            ("init", "determinant"),
            f"With a hidden width below {rows} the determinant is always zero; widen the model or ask for 'any'.",
        )
