"""What a run is: one problem, one model, one start, one optimiser, and when to stop."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from workers.runs.base import Count, Listed, Natural, Positive, SpecModel, check_index, check_matrix, misfit
from workers.runs.defaults import filled_in
from workers.runs.models import CpTensor, Model, NuclearNorm, SymmetricMatrix
from workers.runs.optimizers import GradientFlow, Optimizer
from workers.runs.problems import Index, Problem
from workers.runs.starts import Explicit, Gaussian, Identity, Start

Loss = Literal["half_sse", "mse"]
Engine = Literal["auto", "fused", "torch", "flow"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float64", "float32"]
ExtraMetric = Literal[
    "determinant",
    "schatten_quasi_norm",
    "numerical_rank",
    "matricisation_ranks",
    "matricisation_effective_ranks",
    "rank",
    "sharpness",
]
DEFAULT_POINTS_PER_DECADE = 100

MOST_RANKED_ENTRIES = 2**13
"""Larger products are not ranked: one fit takes longer than a slice should."""


LATEST_TIME = 1e18
"""Where every flow ends at the latest: the loss would be far below rounding."""


class Stop(SpecModel, frozen=True):
    """Stop after `max_steps`, or once the loss is strictly below `loss_below`.

    The loss is checked at every step and the first check that holds ends the run, unless told otherwise: checked at
    the multiples of `check_every` only, and over after `checks_in_a_row` checks that hold. The authors' tensor
    experiments check every 100 steps and ask for three in a row, so that they descend for at least 200 steps more.

    A gradient_flow stops at `max_time` in place of `max_steps`, or as soon as its loss is below the limit.
    """

    max_steps: Natural | None = None
    max_time: Annotated[float, Field(ge=0, le=LATEST_TIME)] | None = None
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
    """Which steps are stored: so many per decade of steps, or every so many; step 0 and the last step always.

    Of a gradient_flow, so many points per decade of time, numbered from 0.
    """

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

    @property
    def depth(self) -> int:
        """How many factors are multiplied: a symmetric product counts its only one twice."""
        return 2 if isinstance(self.model, SymmetricMatrix) else len(self.factor_shapes)

    @property
    def is_flow(self) -> bool:
        """Whether the run is a gradient flow, which has a time and no steps."""
        return isinstance(self.optimizer, GradientFlow) and not isinstance(self.model, NuclearNorm)

    @property
    def descends(self) -> bool:
        """Whether the run takes steps: neither a gradient flow nor a baseline that is solved."""
        return not isinstance(self.optimizer, GradientFlow) and not isinstance(self.model, NuclearNorm)

    @property
    def learning_rate(self) -> float:
        """The learning rate of a descent."""
        assert not isinstance(self.optimizer, GradientFlow)
        return self.optimizer.learning_rate

    @property
    def time_of_a_step(self) -> float:
        """What a step adds to the time of a run, as far as it has steps."""
        return self.learning_rate if self.descends else 0.0

    @property
    def max_steps(self) -> int:
        """The most steps of a descent."""
        assert self.stop.max_steps is not None
        return self.stop.max_steps

    @property
    def max_time(self) -> float:
        """The time at which a gradient flow ends."""
        assert self.stop.max_time is not None
        return self.stop.max_time

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: Any) -> Any:
        return filled_in(value)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        _check_model(self)
        if self.is_flow:
            _check_flow(self)
        elif self.descends:
            _check_descent(self)
        _check_start(self)
        for number, index in enumerate(self.record.entries):
            check_index(index, self.problem.shape, ("record", "entries", number))
        _check_metrics(self)
        return self

    def resolved(self) -> dict[str, Any]:
        """The spec as JSON values, defaults filled in."""
        return self.model_dump(mode="json", exclude_none=True)


def _check_model(spec: RunSpec) -> None:
    kind, order = spec.model.kind, len(spec.problem.shape)
    if not isinstance(spec.model, CpTensor) and order > 2:
        raise misfit(("model", "kind"), f"A {kind} has two dimensions and this problem has {order}; use a cp_tensor.")
    rows, columns = spec.problem.shape[0], spec.problem.shape[-1]
    if isinstance(spec.model, SymmetricMatrix) and rows != columns:
        raise misfit(
            ("model", "kind"), f"A {kind} is square and this problem is {rows} x {columns}; use a deep_matrix."
        )


def _check_descent(spec: RunSpec) -> None:
    if spec.stop.max_time is not None:
        raise misfit(
            ("stop", "max_time"), f"max_time is the stop of gradient_flow; give max_steps to a {spec.optimizer.kind}."
        )
    if spec.stop.max_steps is None:
        raise misfit(
            ("stop", "max_steps"), f"This field is required: a {spec.optimizer.kind} stops after so many steps."
        )


def _check_flow(spec: RunSpec) -> None:
    if spec.stop.max_steps is not None:
        raise misfit(
            ("stop", "max_steps"), "A gradient_flow has no steps to count; leave max_steps out, give max_time."
        )
    if spec.stop.max_time is None:
        raise misfit(("stop", "max_time"), "This field is required: a gradient_flow stops at a time.")
    if not spec.stop.at_first_step_below:
        raise misfit(("stop",), "A gradient_flow ends as soon as its loss is below the limit; leave the checks out.")
    if spec.record.every is not None:
        raise misfit(("record", "every"), "A gradient_flow has no steps to count; give points_per_decade of its time.")
    if spec.precision != "float64":
        raise misfit(("precision",), "A gradient_flow is integrated in float64; leave the precision out.")
    if spec.device == "cuda":
        raise misfit(("device",), "A gradient_flow is integrated on the CPU; ask for the device 'auto' or 'cpu'.")


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
    if isinstance(spec.model, NuclearNorm):
        return
    if isinstance(spec.model, CpTensor):
        _check_start_of_components(spec.init)
    match spec.init:
        case Explicit(factors=factors):
            _check_factors(factors, spec.factor_shapes)
        case Gaussian(determinant="positive" | "negative" as sign):
            _check_determinant(spec, sign)
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
    if len(factors) != (count := len(shapes)):
        raise misfit(
            ("init", "factors"),
            f"The model has {count} factor{'s'[: count - 1]}, and {len(factors)} were given; give one for each.",
        )
    for number, (factor, shape) in enumerate(zip(factors, shapes, strict=True)):
        check_matrix(factor, shape, ("init", "factors", number))


def _check_determinant(spec: RunSpec, sign: str) -> None:
    rows, columns = spec.problem.shape[0], spec.problem.shape[-1]
    if rows != columns:
        raise misfit(
            ("init", "determinant"), f"A {rows} x {columns} product has no determinant; ask for the sign 'any'."
        )
    if min(min(shape) for shape in spec.factor_shapes) < rows:
        what = "rank" if isinstance(spec.model, SymmetricMatrix) else "hidden width"
        raise misfit(
            ("init", "determinant"),
            f"With a {what} below {rows} the determinant is always zero; widen the model or ask for 'any'.",
        )
    if isinstance(spec.model, SymmetricMatrix) and sign == "negative":
        raise misfit(("init", "determinant"), "U U^T never has a negative determinant; ask for 'any' or 'positive'.")
