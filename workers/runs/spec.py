"""A run: one problem, one model, one start, one optimiser, and when to stop."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from workers.runs.base import Listed, Natural, SpecModel, check_index, misfit
from workers.runs.losses import HalfSse, Loss, Mse
from workers.runs.metrics import ON_REQUEST, metric_misfit
from workers.runs.models import MODELS, RESERVED, Model
from workers.runs.noise import check_draws
from workers.runs.optimizers import DescentBase, Optimizer
from workers.runs.phases import MOST_PHASES, Phase, check_phases, with_whole_phases
from workers.runs.precisions import Precision
from workers.runs.problems import Problem
from workers.runs.seeds import Seed
from workers.runs.shapes import Index
from workers.runs.snapshots import FactorSchedule
from workers.runs.starts import Start
from workers.runs.stops import Stop

Engine = Literal["auto", "fused", "torch", "flow"]
Device = Literal["auto", "cpu", "cuda"]
if TYPE_CHECKING:
    ExtraMetric = str
else:
    ExtraMetric = Literal[*ON_REQUEST]
DEFAULT_POINTS_PER_DECADE = 100


class Record(SpecModel, frozen=True):
    """Which steps are stored: so many per decade of steps, or every so many; step 0 and the last step always.

    Of a gradient_flow, so many points per decade of time, numbered from 0. With 0, only the start and the end are kept.
    `factors` says at which steps the factors are kept as well; a baseline, which is solved at once, has one state only.
    """

    @property
    def per_decade(self) -> int:
        """Points per decade, 1 where a descent records evenly."""
        return 1 if self.points_per_decade is None else self.points_per_decade

    points_per_decade: Annotated[Natural, Field(le=10_000)] | None = None
    every: Natural | None = None
    metrics: Annotated[tuple[ExtraMetric, ...], Listed] = ()
    entries: Annotated[tuple[Index, ...], Listed, Field(max_length=1000)] = ()
    factors: FactorSchedule | None = None

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


def _usual_loss(fields: dict[str, Any]) -> HalfSse | Mse:
    """Half the sum of squares for matrices, their mean for tensors of order 3 and up."""
    problem = fields.get("problem")
    return Mse(kind="mse") if problem is not None and len(problem.shape) > 2 else HalfSse(kind="half_sse")


def filled_in(run: Any) -> Any:
    """A run as JSON values, with the parts that its model has defaults for, and whole phases."""
    match run:
        case {"model": {"kind": str(kind)}} if kind in MODELS:
            return with_whole_phases(MODELS[kind].fill_in(run))
        case _:
            return with_whole_phases(run)


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
    seed: Seed = 0
    phases: Annotated[tuple[Phase, ...], Listed, Field(min_length=1, max_length=MOST_PHASES)] | None = None

    @property
    def phase_specs(self) -> "tuple[RunSpec, ...]":
        """The phases as runs without phases, each with its stop; a run without phases is its only one."""
        if self.phases is None:
            return (self,)
        specs = [self.model_copy(update={"phases": None})]
        for phase in self.phases:
            specs.append(specs[-1].model_copy(update=phase.changes()))
        return tuple(specs)

    @property
    def most_steps(self) -> int:
        """The most steps of a descent in all its phases."""
        return self.max_steps + sum(phase.stop.max_steps or 0 for phase in self.phases or ())

    @property
    def factor_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the factors, first to last."""
        return self.model.factor_shapes(self.problem.shape)

    @property
    def depth(self) -> int:
        """How many factors are multiplied; a symmetric product counts its only factor twice."""
        return self.model.depth_of(self.problem.shape)

    @property
    def is_flow(self) -> bool:
        """Whether the run is a gradient flow, which has times but no steps."""
        return self.optimizer.is_flow and self.model.is_trained

    @property
    def descends(self) -> bool:
        """Whether the run takes steps: neither a gradient flow nor a baseline that is solved."""
        return self.model.is_trained and not self.optimizer.is_flow

    @property
    def descent(self) -> DescentBase:
        """The optimiser of a run that takes steps."""
        assert isinstance(self.optimizer, DescentBase)
        return self.optimizer

    @property
    def constant_learning_rate(self) -> float | None:
        """The learning rate of a descent whose rate is the same at every step; None for any other run."""
        rate = self.descent.learning_rate if self.descends else None
        return rate if isinstance(rate, float) else None

    @property
    def decays(self) -> bool:
        """Whether the run is trained with weight decay, so that it has an objective beside its loss."""
        return self.model.is_trained and self.optimizer.decays()

    @property
    def carries_time(self) -> bool:
        """Whether the state of the run holds its time: the sum of rates that depended on earlier states."""
        return self.descends and self.descent.rates.is_adaptive

    @property
    def max_steps(self) -> int:
        """The most steps of a descent, in its first phase."""
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
        match value:
            case {"model": {"kind": str(kind)}} if kind in RESERVED:
                raise misfit(("model", "kind"), RESERVED[kind])
            case _:
                return filled_in(value)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        self.check_parts()
        if self.model.is_trained:
            self.init.check(self.model, self.problem)
        for number, index in enumerate(self.record.entries):
            check_index(index, self.problem.shape, ("record", "entries", number))
        check_phases(self)
        if (reason := metric_misfit(self)) is not None:
            raise misfit(("record", "metrics"), reason)
        return self

    def check_parts(self) -> None:
        """Raise a misfit unless problem, model, loss, optimiser and stop fit together, whatever the start."""
        self.model.check(self.problem, self.loss)
        self.loss.check(self.problem)
        if self.is_flow:
            _check_flow(self)
        elif self.descends:
            _check_descent(self)
        if self.model.is_trained:
            self.optimizer.check_model(self.model, self.problem.shape)

    def lasting(self, stop: Stop) -> Self:
        """The run with another stop of its last phase, unchecked."""
        if self.phases is None:
            return self.model_copy(update={"stop": stop})
        last = self.phases[-1].model_copy(update={"stop": stop})
        return self.model_copy(update={"phases": (*self.phases[:-1], last)})

    def settled(self) -> Self:
        """The spec with defaults that depend on the observations filled in; large problems take a moment."""
        model = self.model.settled(self.problem)
        return self if model is self.model else self.model_copy(update={"model": model})

    def resolved(self, without: Iterable[str] = ()) -> dict[str, Any]:
        """The spec as JSON values, defaults filled in; fields may be left out."""
        return self.model_dump(mode="json", exclude_none=True, exclude=set(without))


def times_at(spec: RunSpec, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Time at each of `steps`: the sum of the rates of a descent, 0 for a run without steps; not of a carried time."""
    return spec.descent.rates.times(steps) if spec.descends else np.zeros(steps.shape)


def _check_descent(spec: RunSpec) -> None:
    if spec.stop.max_time is not None:
        raise misfit(
            ("stop", "max_time"), f"max_time is the stop of gradient_flow; give max_steps to a {spec.optimizer.kind}."
        )
    if spec.stop.max_steps is None:
        raise misfit(
            ("stop", "max_steps"), f"This field is required: a {spec.optimizer.kind} stops after so many steps."
        )
    check_draws(spec)


def _check_flow(spec: RunSpec) -> None:
    if not spec.loss.is_lipschitz:
        raise misfit(
            ("loss",),
            f"A gradient_flow needs a slope that is Lipschitz continuous, and that of {spec.loss.kind} is not where a "
            "residual is 0; take huber with a small delta, or a descent.",
        )
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
