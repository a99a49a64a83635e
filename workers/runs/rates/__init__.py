"""Learning rates: a number, or a schedule that says the rate of every step.

A schedule is a function of the step alone, counted from 0 over the whole run, and knows nothing of where a run stops.
Rates and their sums are therefore the same however a run is cut, batched or extended. Rates of many steps come from few
exact values (`workers.runs.sequences`). Sums of rates have closed forms, so nothing is carried from step to step.
Polyak's rate depends on the state; its sum is carried (`workers.lab.rates`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

import numpy as np
from pydantic import BaseModel, Discriminator, Tag

from workers.runs.base import Positive
from workers.runs.rates.base import Array, Constant, Later, Rates, Steps
from workers.runs.rates.kinds import Cosine, Geometric, Piecewise, Polyak, Polynomial, Schedule

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Geometric",
    "Later",
    "LearningRate",
    "Piecewise",
    "Polyak",
    "Polynomial",
    "Rates",
    "Schedule",
    "rate_table",
    "rates_of",
]

NUMBER = "number"
"""Marks a plain number among the kinds of learning rates."""


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

SCHEDULES: dict[str, type[Schedule]] = {
    tag.tag: schedule for schedule, *_, tag in map(get_args, get_args(get_args(LearningRate)[0])) if tag.tag != NUMBER
}
"""The class of each kind."""


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
