"""Optimisers: how a step follows from the gradient, or the flow that is the limit of small steps.

The mathematics of each class is in `workers.lab.optimizers`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, PrivateAttr

from workers.runs.base import Listed, Natural, NonNegative, Positive, SpecModel, classes_by_kind, misfit
from workers.runs.noise import Batch, Noise
from workers.runs.rates import Later, LearningRate, Rates, rates_of

Decay = Annotated[float, Field(ge=0, lt=1)]

TIME_SCALARS = 2
"""Numbers in a state for a sum of rates that is carried: the sum, and what its rounding left over."""


class Origins(NamedTuple):
    """From which steps of a run an optimiser of one of its phases counts (`workers.runs.phases`).

    Attributes:
        state: the step at which what it carries from step to step began.
        schedule, time: step and time at which the schedule of its learning rate began.
    """

    state: int = 0
    schedule: int = 0
    time: float = 0.0


class OptimizerBase(SpecModel, frozen=True):
    """Base of all kinds of optimiser.

    Class attributes:
        example: a small valid optimiser of this kind, as JSON values.
        slots: vectors in a state: the factors, then whatever the optimiser carries from step to step.
        scalars: single numbers in a state, which follow the vectors and precede a carried sum of rates.
        multiply_adds: multiply-adds of a step per trained number.
        is_flow: whether it is integrated up to a time; otherwise it takes steps.
        is_fusable: whether the fused engine can take its steps.
        is_equivariant: whether its products do not depend on how a product is factorised: with (F1 Q, Q^T F2) in place
            of (F1, F2), Q orthogonal, they are the same. Optimisers that scale each number by itself depend on it.
    """

    example: ClassVar[Mapping[str, Any]]
    slots: ClassVar[int]
    scalars: ClassVar[int] = 0
    multiply_adds: ClassVar[int] = 1
    is_flow: ClassVar[bool] = False
    is_fusable: ClassVar[bool] = False
    is_equivariant: ClassVar[bool] = True

    weight_decay: NonNegative = 0.0

    @property
    def state_scalars(self) -> int:
        """Single numbers in a state."""
        return self.scalars

    def check_factors(self, count: int) -> None:
        """Raise a misfit, pointing into the run, unless the optimiser fits a model of so many factors."""

    def decays(self) -> bool:
        """Whether there is a weight decay."""
        return self.weight_decay > 0

    def batch_words(self) -> Sequence[str]:
        """What the runs of a batch share beside the kind: what changes the operations of a step."""
        return ["decay"] if self.decays() else []


class DescentBase(OptimizerBase, frozen=True):
    """Base of all kinds of optimiser that take steps.

    With `weight_decay` lambda above 0 and `decay` coupled, the gradient is that of the objective, loss + lambda / 2 sum
    ||F||^2: lambda F is added to it. With `decay` decoupled, a step begins with F <- (1 - rate lambda) F, and the
    optimiser's own step from the gradient of the loss follows (Loshchilov and Hutter 2019).

    The rate of factor j is the learning rate times `learning_rate_factors`[j]. Factors in `frozen`, counted from 0,
    stay as they start: they take no steps, do not decay, and their gradient counts as zero.

    With `batch` a step takes the gradient of some of the samples, and with `noise` that of labels with noise, or a
    gradient with noise (`workers.runs.noise`).
    """

    learning_rate: LearningRate
    decay: Literal["coupled", "decoupled"] = "coupled"
    learning_rate_factors: Annotated[tuple[Positive, ...], Listed, Field(min_length=1)] | None = None
    frozen: Annotated[tuple[Natural, ...], Listed, Field(min_length=1)] | None = None
    batch: Batch | None = None
    noise: Noise | None = None
    _origins: Origins = PrivateAttr(Origins())

    def counted_from(self, origins: Origins) -> Self:
        """The same optimiser, whose state and schedule began at other steps of the run."""
        counted = self.model_copy()
        counted._origins = origins  # pyright: ignore[reportAttributeAccessIssue]  # only fields are frozen
        return counted

    @property
    def began_at(self) -> int:
        """The step of the run at which what the optimiser carries from step to step began."""
        return self._origins.state

    @property
    def rates(self) -> Rates:
        """The learning rate of every step of the run."""
        rates, (_, step, time) = rates_of(self.learning_rate), self._origins
        return rates if rates.is_adaptive or step == 0 else Later(rates, step, time)

    @property
    def state_scalars(self) -> int:
        """Single numbers in a state; an adaptive rate carries the sum of its rates, which is the time."""
        return self.scalars + (TIME_SCALARS if self.rates.is_adaptive else 0)

    @property
    def decay_word(self) -> Literal["none", "coupled", "decoupled"]:
        """How weights decay: coupled, decoupled or none."""
        return self.decay if self.decays() else "none"

    def batch_words(self) -> Sequence[str]:
        """See `OptimizerBase`; a schedule that is not adaptive only changes numbers."""
        decay = [self.decay] if self.decays() else []
        adaptive = ["adaptive"] if self.rates.is_adaptive else []
        frozen = [f"frozen={sum(1 << number for number in self.frozen):x}"] if self.frozen else []
        return [*decay, *adaptive, *frozen]

    def factors_of_rate(self, count: int) -> Sequence[float]:
        """What multiplies the rate of each of `count` factors."""
        return self.learning_rate_factors or (1.0,) * count

    def trained(self, count: int) -> Sequence[int]:
        """Numbers of the factors, of `count`, that are not frozen."""
        return [number for number in range(count) if number not in (self.frozen or ())]

    def check_factors(self, count: int) -> None:
        """See `OptimizerBase`."""
        if self.learning_rate_factors is not None and len(self.learning_rate_factors) != count:
            message = f"Give a number for each factor: this model has {count}."
            raise misfit(("optimizer", "learning_rate_factors"), message)
        for position, number in enumerate(self.frozen or ()):
            if number >= count:
                message = f"There is no factor {number}: this model has {count}, counted from 0."
                raise misfit(("optimizer", "frozen", position), message)
            if number in (self.frozen or ())[:position]:
                raise misfit(("optimizer", "frozen", position), f"Factor {number} is frozen twice; name it once.")
        if not self.trained(count):
            raise misfit(
                ("optimizer", "frozen"), "All factors are frozen, so nothing would move; leave at least one out."
            )


class GradientDescent(DescentBase, frozen=True):
    """F <- F - learning_rate * gradient."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "gradient_descent", "learning_rate": 0.05}
    slots: ClassVar[int] = 1
    is_fusable: ClassVar[bool] = True
    kind: Literal["gradient_descent"]


class Momentum(DescentBase, frozen=True):
    """Heavy ball (Polyak 1964): v <- beta v + gradient, F <- F - learning_rate * v."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "momentum", "learning_rate": 0.02, "beta": 0.8}
    slots: ClassVar[int] = 2
    multiply_adds: ClassVar[int] = 2
    is_fusable: ClassVar[bool] = True
    kind: Literal["momentum"]
    beta: Decay = 0.9


class Adam(DescentBase, frozen=True):
    """Adam (Kingma and Ba 2015): m and v, running means of the gradient and of its square.

    F <- F - learning_rate * m' / (sqrt(v') + epsilon), m' = m / (1 - beta_1^t), v' = v / (1 - beta_2^t), t from 1.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "adam", "learning_rate": 0.02}
    slots: ClassVar[int] = 3
    multiply_adds: ClassVar[int] = 8
    is_fusable: ClassVar[bool] = True
    is_equivariant: ClassVar[bool] = False
    kind: Literal["adam"]
    beta_1: Decay = 0.9
    beta_2: Decay = 0.999
    epsilon: Positive = 1e-8

    @property
    def share_1(self) -> float:
        """1 - beta_1, the share of a new gradient."""
        return 1 - self.beta_1

    @property
    def share_2(self) -> float:
        """1 - beta_2, the share of a new square."""
        return 1 - self.beta_2


class GroupRmsprop(DescentBase, frozen=True):
    """One adaptive step size for all factors together (Razin and Cohen 2020).

    v <- beta v + (1 - beta) * sum of all squared gradient entries,
    F <- F - learning_rate / (sqrt(v / (1 - beta^t)) + epsilon) * gradient, v = 0 at the start, t from 1. What each
    factor adds to v is rounded to single precision first, as it is in the authors' trajectories.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "group_rmsprop", "learning_rate": 0.02}
    slots: ClassVar[int] = 1
    scalars: ClassVar[int] = 1
    multiply_adds: ClassVar[int] = 2
    is_fusable: ClassVar[bool] = True
    kind: Literal["group_rmsprop"]
    beta: Decay = 0.99
    epsilon: Positive = 1e-6

    @property
    def share(self) -> float:
        """1 - beta, the share of a new square."""
        return 1 - self.beta


class GradientFlow(OptimizerBase, frozen=True):
    """dF/dt = -gradient - weight_decay F, the limit of small learning rates, with steps of its own choice.

    The local error of a step is kept below `rtol` |y| + `atol` min(1, largest |y|) for each number y that is
    integrated: those of the factors, or of their product from a balanced start (`workers.runs.conservation`). A state
    holds the factors now and where the stretch of steps began that led there, then the numbers of
    `workers.lab.engines.flow.state`.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "gradient_flow", "rtol": 1e-6}
    slots: ClassVar[int] = 2
    scalars: ClassVar[int] = 8
    is_flow: ClassVar[bool] = True
    kind: Literal["gradient_flow"]
    rtol: Annotated[float, Field(ge=1e-13, le=1e-2)] = 1e-9
    atol: Annotated[float, Field(gt=0, le=1)] = 1e-12


Optimizer = Annotated[
    GradientDescent | Momentum | Adam | GroupRmsprop | GradientFlow,
    Field(discriminator="kind"),
]

OPTIMIZERS: dict[str, type[OptimizerBase]] = classes_by_kind(Optimizer)
"""The class of each kind."""
