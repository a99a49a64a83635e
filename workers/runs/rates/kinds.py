"""Every kind of schedule: what a spec says of it, its rates and their sums."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import pairwise
from math import fsum, log1p, pi, sin
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from workers.runs.base import Count, Listed, Natural, NonNegative, Positive, SpecModel, misfit
from workers.runs.rates.base import Array, Steps
from workers.runs.sequences import Numbers, cosines_squared, joined, powers, reciprocal_powers, sums_of_powers


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

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """The rates of `count` steps, at least 1, from step `first` on, in parts."""
        raise NotImplementedError

    def rates(self, first: int, count: int) -> Array:
        """The rates of `count` steps, at least 1, from step `first` on: (count,), perhaps read-only."""
        return joined(self.numbers(first, count))

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

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """See `Rates`."""
        begins, end = self._begins, first + count
        pieces = range(bisect_right(begins, first) - 1, bisect_left(begins, end))
        bounds = [first, *(begins[piece + 1] for piece in pieces[:-1]), end]
        return [
            np.broadcast_to(np.float64(self.values[piece]), after - before)
            for piece, (before, after) in zip(pieces, pairwise(bounds), strict=True)
        ]

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

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """See `Rates`; (1 + cos x) / 2 is the square of the cosine of x / 2."""
        moving = max(0, min(self.steps, first + count) - first)
        parts: list[Numbers] = [np.broadcast_to(np.float64(self.to), count - moving)]
        if moving:
            parts.insert(0, cosines_squared(self.steps, first, moving, self.start - self.to, self.to))
        return parts

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

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """See `Rates`."""
        return reciprocal_powers(self.power, first + 1, count, self.initial)

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

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """See `Rates`."""
        return [powers(self.factor, first, count, self.initial)]

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
