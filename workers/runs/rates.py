"""Learning rates: a number, or a schedule that says the rate of every step.

A schedule is a function of the step alone, counted from 0 over the whole run, and knows nothing of where a run stops.
Rates and their sums are therefore the same however a run is cut, batched or extended. Rates of many steps come from few
exact values (`workers.runs.sequences`). Sums of rates have closed forms, so nothing is carried from step to step.
Polyak's rate depends on the state; its sum is carried (`workers.lab.rates`).
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum, log1p, pi, sin
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from workers.runs.base import Count, Listed, Natural, NonNegative, Positive, SpecModel, misfit
from workers.runs.sequences import powers, sines, sums_of_powers

Array = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

NUMBER = "number"
"""Marks a plain number among the kinds of learning rates."""


class Rates(Protocol):
    """The learning rate of every step of a run."""

    is_adaptive: ClassVar[bool]

    def rates(self, first: int, count: int) -> Array:
        """The rates of `count` steps from step `first` on, (count,)."""
        ...

    def times(self, steps: Steps) -> Array:
        """The sum of the rates of all steps before each of `steps`, in the same shape."""
        ...

    @property
    def settles_at(self) -> int | None:
        """The step from which the rate stays what it is, None where it never does."""
        ...

    @property
    def label(self) -> str:
        """The schedule in a few words."""
        ...


@dataclass(frozen=True)
class Constant:
    """The same rate at every step; time is the rate times the steps, rounded once."""

    value: float
    is_adaptive: ClassVar[bool] = False

    @property
    def settles_at(self) -> int | None:
        """See `Rates`."""
        return 0

    def rates(self, first: int, count: int) -> Array:
        """See `Rates`."""
        return np.full(count, self.value)

    def times(self, steps: Steps) -> Array:
        """See `Rates`."""
        return steps.astype(np.float64) * self.value

    @property
    def label(self) -> str:
        """See `Rates`."""
        return f"{self.value:g}"


@dataclass(frozen=True)
class Later:
    """Rates that begin at a step and a time of a run, not at its first step; nothing is said of earlier steps."""

    of: Rates
    step: int
    time: float
    is_adaptive: ClassVar[bool] = False

    @property
    def settles_at(self) -> int | None:
        """See `Rates`."""
        settled = self.of.settles_at
        return settled and settled + self.step  # a rate that is always the same is so from step 0

    def rates(self, first: int, count: int) -> Array:
        """See `Rates`."""
        return self.of.rates(first - self.step, count)

    def times(self, steps: Steps) -> Array:
        """See `Rates`."""
        return self.time + self.of.times(steps - self.step)

    @property
    def label(self) -> str:
        """See `Rates`."""
        return self.of.label


class Schedule(SpecModel, frozen=True):
    """Base of all kinds of schedule.

    Class attributes:
        example: a small valid schedule of this kind, as JSON values.
        is_adaptive: whether the rate depends on the state; then `rates` and `times` do not apply.
    """

    example: ClassVar[Mapping[str, Any]]
    is_adaptive: ClassVar[bool] = False

    @property
    def settles_at(self) -> int | None:
        """The step from which the rate stays what it is, None where it never does."""
        return None

    @property
    def label(self) -> str:
        """The schedule in a few words."""
        raise NotImplementedError

    def rates(self, first: int, count: int) -> Array:
        """The rates of `count` steps from step `first` on, (count,)."""
        raise NotImplementedError

    def times(self, steps: Steps) -> Array:
        """The sum of the rates of all steps before each of `steps`, in the same shape."""
        raise NotImplementedError


class Piecewise(Schedule, frozen=True):
    """values[i] from step steps[i] on, the last value for ever; the first step, 0, may be left out of `steps`."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "piecewise", "values": [0.04, 0.01, 0.02], "steps": [3, 10]}
    kind: Literal["piecewise"]
    values: Annotated[tuple[NonNegative, ...], Listed, Field(min_length=1, max_length=1000)]
    steps: Annotated[tuple[Natural, ...], Listed, Field(max_length=1000)]

    @model_validator(mode="after")
    def _one_step_for_each_value(self) -> Self:
        for number, step in enumerate(self.steps):
            if step <= (self.steps[number - 1] if number else -1):
                raise misfit(("steps", number), "Give steps that increase: each value begins after the one before it.")
        if len(self._begins) != len(self.values) or self._begins[0] != 0:
            raise misfit(
                ("steps",),
                f"Say where each of the {len(self.values)} values begins: {len(self.values) - 1} steps for all values "
                "after the first, which begins at step 0.",
            )
        return self

    @property
    def _begins(self) -> tuple[int, ...]:
        """The step at which each value begins."""
        return self.steps if self.steps[:1] == (0,) else (0, *self.steps)

    @property
    def settles_at(self) -> int:
        """See `Rates`."""
        return self._begins[-1]

    @property
    def label(self) -> str:
        """See `Rates`."""
        return f"{self.values[0]:g} to {self.values[-1]:g} in {len(self.values)} pieces"

    def rates(self, first: int, count: int) -> Array:
        """See `Rates`."""
        piece, end = bisect_right(self._begins, first) - 1, first + count
        if end <= (*self._begins, end)[piece + 1]:
            return np.full(count, self.values[piece])
        bounds = np.clip([*self._begins[1:], end], first, end) - first
        return np.repeat(np.array(self.values, dtype=np.float64), np.diff(bounds, prepend=0))

    def times(self, steps: Steps) -> Array:
        """See `Rates`; the sum up to the last change is rounded once."""
        lengths = np.diff(self._begins).tolist()
        parts = [length * value for length, value in zip(lengths, self.values, strict=False)]
        before = np.array([fsum(parts[:number]) for number in range(len(self.values))])
        begins, values = np.array(self._begins), np.array(self.values, dtype=np.float64)
        piece = np.searchsorted(begins, steps, side="right") - 1
        return before[piece] + (steps - begins[piece]) * values[piece]


class Cosine(Schedule, frozen=True):
    """to + (from - to) (1 + cos(pi k / steps)) / 2 at step k (Loshchilov and Hutter 2017, one cycle), then `to`."""

    model_config = {"serialize_by_alias": True}
    example: ClassVar[Mapping[str, Any]] = {"kind": "cosine", "from": 0.04, "to": 0.005, "steps": 18}
    kind: Literal["cosine"]
    start: Annotated[NonNegative, Field(alias="from")]
    to: NonNegative
    steps: Count

    @property
    def settles_at(self) -> int:
        """See `Rates`."""
        return self.steps

    @property
    def label(self) -> str:
        """See `Rates`."""
        return f"cosine {self.start:g} to {self.to:g}"

    def rates(self, first: int, count: int) -> Array:
        """See `Rates`; (1 + cos x) / 2 is the square of a sine, which keeps its digits where it is small."""
        left = max(0, min(self.steps, first + count) - first)
        if not left:
            return np.full(count, self.to)
        moving = sines(pi / (2 * self.steps), self.steps - first - left + 1, left)
        moving *= moving
        moving *= self.start - self.to
        moving += self.to
        return moving[::-1] if left == count else np.concatenate([moving[::-1], np.full(count - left, self.to)])

    def times(self, steps: Steps) -> Array:
        """See `Rates`; sum of cos(pi j / n) for j < k = sin(k a) cos((k - 1) a) / sin(a), a = pi / (2 n)."""
        within, angle = np.minimum(steps, self.steps), pi / (2 * self.steps)
        cosines = np.sin(within * angle) * np.cos((within - 1) * angle) / sin(angle)
        return steps * self.to + (self.start - self.to) / 2 * (within + np.where(within > 0, cosines, 0.0))


class Polynomial(Schedule, frozen=True):
    """initial / (k + 1)^power at step k (Robbins and Monro 1951)."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "polynomial", "initial": 0.05, "power": 0.3}
    kind: Literal["polynomial"]
    initial: Positive
    power: Annotated[float, Field(ge=0, le=100)]

    @property
    def label(self) -> str:
        """See `Rates`."""
        return f"{self.initial:g} / (k + 1)^{self.power:g}"

    def rates(self, first: int, count: int) -> Array:
        """See `Rates`."""
        numbers = np.arange(first + 1, first + 1 + count, dtype=np.float64)
        if self.power == 1:
            return np.divide(self.initial, numbers, out=numbers)
        np.log(numbers, out=numbers)
        numbers *= -self.power
        np.exp(numbers, out=numbers)
        numbers *= self.initial
        return numbers

    def times(self, steps: Steps) -> Array:
        """See `Rates`."""
        return self.initial * sums_of_powers(self.power, np.asarray(steps, dtype=np.float64))


class Geometric(Schedule, frozen=True):
    """initial * factor^k at step k."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "geometric", "initial": 0.05, "factor": 0.97}
    kind: Literal["geometric"]
    initial: Positive
    factor: Annotated[float, Field(gt=0, le=1)]

    @property
    def label(self) -> str:
        """See `Rates`."""
        return f"{self.initial:g} {self.factor:g}^k"

    def rates(self, first: int, count: int) -> Array:
        """See `Rates`."""
        rates = powers(self.factor, first, count)
        rates *= self.initial
        return rates

    def times(self, steps: Steps) -> Array:
        """See `Rates`."""
        if self.factor == 1:
            return self.initial * np.asarray(steps, dtype=np.float64)
        return self.initial * (np.expm1(np.asarray(steps) * log1p(self.factor - 1)) / (self.factor - 1))


class Polyak(Schedule, frozen=True):
    """(l - minimum) / |gradient|^2, both before the step (Polyak 1969); at most `most`, if that is given.

    With coupled weight decay both are those of the objective. A loss at or below the minimum has the rate 0, and so has
    a gradient of zero, which leads nowhere.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "polyak", "most": 0.1}
    is_adaptive: ClassVar[bool] = True
    kind: Literal["polyak"]
    minimum: NonNegative = 0.0
    most: Positive | None = None

    @property
    def label(self) -> str:
        """See `Rates`."""
        return "Polyak"


_AnySchedule = Piecewise | Cosine | Polynomial | Geometric | Polyak
SCHEDULES: dict[str, type[Schedule]] = {
    schedule.model_fields["kind"].annotation.__args__[0]: schedule  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    for schedule in (Piecewise, Cosine, Polynomial, Geometric, Polyak)
}
"""The class of each kind."""


def _kind_of(value: Any) -> str | None:
    """Which of the learning rates a value is to be read as."""
    if isinstance(value, Mapping):
        return value.get("kind")
    return getattr(value, "kind", NUMBER) if isinstance(value, BaseModel) else NUMBER


LearningRate = Annotated[
    Annotated[Positive, Tag(NUMBER)]
    | Annotated[Piecewise, Tag("piecewise")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[Polynomial, Tag("polynomial")]
    | Annotated[Geometric, Tag("geometric")]
    | Annotated[Polyak, Tag("polyak")],
    Discriminator(_kind_of),
]


def rates_of(learning_rate: float | Schedule) -> Rates:
    """A learning rate as the rates of its steps."""
    return learning_rate if isinstance(learning_rate, Schedule) else Constant(learning_rate)


def rate_table(of: "list[Rates]", steps: Steps, count: int) -> Array:
    """The rates of the next `count` steps of runs that have taken `steps` (runs,) so far, (count, runs)."""
    columns: dict[tuple[Rates, int], Array] = {}
    for rates, step in zip(of, steps.tolist(), strict=True):
        if (rates, step) not in columns:
            columns[rates, step] = rates.rates(step, count)
    return np.stack([columns[rates, step] for rates, step in zip(of, steps.tolist(), strict=True)], axis=1)
