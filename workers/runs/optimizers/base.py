"""Base of all kinds of optimiser, without torch; their mathematics is in `workers.lab.optimizers`."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, PrivateAttr

from workers.runs.base import Listed, Natural, NonNegative, Positive, SpecModel, misfit
from workers.runs.factors import Factor
from workers.runs.noise import Batch, Noise
from workers.runs.rates import Later, LearningRate, Rates, rates_of

if TYPE_CHECKING:
    from workers.runs.models import ModelBase

if TYPE_CHECKING:
    from workers.runs.models import ModelBase

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
        scalars: single numbers in a state, which follow vectors and matrices and precede a carried sum of rates.
        multiply_adds: multiply-adds of a step per trained number.
        evaluations: of the loss and its gradient in a step.
        is_flow: whether it is integrated up to a time; otherwise it takes steps.
        is_fusable: whether the fused engine can take its steps.
        is_capturable: whether its steps can be captured on a GPU; decompositions of matrices cannot.
        is_equivariant: whether its products do not depend on how a product is factorised: with (F1 Q, Q^T F2) in place
            of (F1, F2), Q orthogonal, they are the same. Optimisers that scale each number by itself depend on it.
    """

    example: ClassVar[Mapping[str, Any]]
    slots: ClassVar[int]
    scalars: ClassVar[int] = 0
    multiply_adds: ClassVar[int] = 1
    evaluations: ClassVar[int] = 1
    is_flow: ClassVar[bool] = False
    is_fusable: ClassVar[bool] = False
    is_capturable: ClassVar[bool] = True
    is_equivariant: ClassVar[bool] = True

    weight_decay: NonNegative = 0.0

    @property
    def state_scalars(self) -> int:
        """Single numbers in a state."""
        return self.scalars

    @property
    def unfused_name(self) -> str | None:
        """The name in a sentence of an optimiser whose steps the fused engine cannot take; None where it can."""
        return None if self.is_fusable else self.example["kind"]

    @property
    def respects_factorisation(self) -> bool:
        """`is_equivariant` of this optimiser, where that depends on its fields."""
        return self.is_equivariant

    def matrices(self, shapes: "Sequence[tuple[int, ...]]") -> Sequence[tuple[int, int]]:
        """Shapes of the matrices that a state holds between vectors and single numbers, for factors of `shapes`."""
        return ()

    def update_multiply_adds(self, shapes: "Sequence[tuple[int, ...]]") -> int:
        """Multiply-adds of a step from a gradient, for factors of `shapes`."""
        return self.multiply_adds * sum(map(prod, shapes))

    def check_model(self, model: "ModelBase", shape: Sequence[int]) -> None:
        """Raise a misfit, pointing into the run, unless the optimiser fits a model of products of `shape`."""
        self.check_factors(len(model.factor_shapes(shape)))

    def start_misfit(self, factors: Sequence[Factor]) -> str | None:
        """Why the optimiser cannot begin at these factors, as a sentence; None where it can."""
        return None

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
