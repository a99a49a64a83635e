"""Optimisers: how a step follows from the gradient.

`slots` counts the vectors of a state: the factors, then whatever the optimiser carries from step to step.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from workers.specs.base import Positive, SpecModel


class GradientDescent(SpecModel, frozen=True):
    """F <- F - learning_rate * gradient."""

    slots: ClassVar[int] = 1
    kind: Literal["gradient_descent"]
    learning_rate: Positive


class Momentum(SpecModel, frozen=True):
    """Heavy ball (Polyak 1964): v <- beta v + gradient, F <- F - learning_rate * v."""

    slots: ClassVar[int] = 2
    kind: Literal["momentum"]
    learning_rate: Positive
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.9


Optimizer = Annotated[GradientDescent | Momentum, Field(discriminator="kind")]
