"""What learning rates say of every step, and the simplest: a number."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from workers.runs.sequences import Numbers, joined

Array = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]


class Rates(Protocol):
    """The learning rate of every step of a run."""

    is_adaptive: ClassVar[bool]

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """The rates of `count` steps, at least 1, from step `first` on, in parts."""
        ...

    def rates(self, first: int, count: int) -> Array:
        """The rates of `count` steps, at least 1, from step `first` on: (count,), perhaps read-only."""
        return joined(self.numbers(first, count))

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
class Constant(Rates):
    """The same rate at every step; time is the rate times the steps, rounded once."""

    value: float
    is_adaptive: ClassVar[bool] = False

    @property
    def settles_at(self) -> int | None:
        """See `Rates`."""
        return 0

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """See `Rates`."""
        return [np.broadcast_to(np.float64(self.value), count)]

    def times(self, steps: Steps) -> Array:
        """See `Rates`."""
        return steps.astype(np.float64) * self.value

    @property
    def label(self) -> str:
        """See `Rates`."""
        return f"{self.value:g}"


@dataclass(frozen=True)
class Later(Rates):
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

    def numbers(self, first: int, count: int) -> list[Numbers]:
        """See `Rates`."""
        return self.of.numbers(first - self.step, count)

    def times(self, steps: Steps) -> Array:
        """See `Rates`."""
        return self.time + self.of.times(steps - self.step)

    @property
    def label(self) -> str:
        """See `Rates`."""
        return self.of.label
