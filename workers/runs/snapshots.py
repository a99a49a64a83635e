"""Snapshots: the steps at which a run keeps its factors, and the memory that they take."""

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from workers.runs.base import Count, Listed, Natural, SpecModel, misfit

if TYPE_CHECKING:
    from workers.runs.spec import Record

Steps = npt.NDArray[np.int64]

MOST_NAMED_STEPS = 10_000


class FactorSchedule(SpecModel, frozen=True):
    """The steps at which the factors are kept: every so many from 0, or those that are named, in ascending order.

    Of a gradient_flow they are the numbers of its scheduled points. Steps after the end of a run are kept if it is
    extended that far.
    """

    every: Count | None = None
    steps: Annotated[tuple[Natural, ...], Listed, Field(max_length=MOST_NAMED_STEPS)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.every is None) == (self.steps is None):
            raise misfit(("every",), "Give either every or steps of record.factors.")
        if self.steps is not None and list(self.steps) != sorted(set(self.steps)):
            raise misfit(("steps",), "Give the steps in ascending order, each once.")
        return self


def kept_steps(record: "Record", last: int) -> Steps:
    """The steps from 0 to `last` whose factors are kept, ascending; int64 (steps,), never to be written to."""
    return _kept_steps(record.factors, last)


def count_kept(record: "Record", last: int) -> int:
    """How many steps from 0 to `last` are kept, without listing them."""
    if record.factors is None:
        return 0
    if record.factors.every is not None:
        return last // record.factors.every + 1
    return len(kept_steps(record, last))


@lru_cache(maxsize=256)
def _kept_steps(factors: FactorSchedule | None, last: int) -> Steps:
    if factors is None:
        steps = np.zeros(0, dtype=np.int64)
    elif factors.every is not None:
        steps = np.arange(0, last + 1, factors.every, dtype=np.int64)
    else:
        named = np.array(factors.steps, dtype=np.int64)
        steps = named[named <= last]
    steps.setflags(write=False)
    return steps
