"""Optimisers: how a step follows from the gradient, or the flow that steps of no length would follow.

`slots` counts the vectors of a state: the factors, then whatever the optimiser carries from step to step; `scalars`
counts the single numbers that follow them.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from workers.runs.base import Positive, SpecModel

Decay = Annotated[float, Field(ge=0, lt=1)]


class GradientDescent(SpecModel, frozen=True):
    """F <- F - learning_rate * gradient."""

    slots: ClassVar[int] = 1
    scalars: ClassVar[int] = 0
    kind: Literal["gradient_descent"]
    learning_rate: Positive


class Momentum(SpecModel, frozen=True):
    """Heavy ball (Polyak 1964): v <- beta v + gradient, F <- F - learning_rate * v."""

    slots: ClassVar[int] = 2
    scalars: ClassVar[int] = 0
    kind: Literal["momentum"]
    learning_rate: Positive
    beta: Decay = 0.9


class Adam(SpecModel, frozen=True):
    """Adam (Kingma and Ba 2015): m and v, running means of the gradient and of its square.

    F <- F - learning_rate * m' / (sqrt(v') + epsilon), m' = m / (1 - beta_1^t), v' = v / (1 - beta_2^t), t from 1.
    """

    slots: ClassVar[int] = 3
    scalars: ClassVar[int] = 0
    kind: Literal["adam"]
    learning_rate: Positive
    beta_1: Decay = 0.9
    beta_2: Decay = 0.999
    epsilon: Positive = 1e-8


class GroupRmsprop(SpecModel, frozen=True):
    """One adaptive step size for all factors together (Razin and Cohen 2020).

    v <- beta v + (1 - beta) * sum of all squared gradient entries,
    F <- F - learning_rate / (sqrt(v / (1 - beta^t)) + epsilon) * gradient, v = 0 at the start, t from 1. What each
    factor adds to v is rounded to single precision first, as it is in the authors' trajectories.
    """

    slots: ClassVar[int] = 1
    scalars: ClassVar[int] = 1
    kind: Literal["group_rmsprop"]
    learning_rate: Positive
    beta: Decay = 0.99
    epsilon: Positive = 1e-6


class GradientFlow(SpecModel, frozen=True):
    """dF/dt = -gradient, the limit of small learning rates, integrated with steps of its own choice.

    The local error of a step is kept below `rtol` |y| + `atol` min(1, largest |y|) for each number y that is
    integrated: those of the factors, or of their product from a balanced start (`workers.runs.conservation`). A state
    holds the factors now and where the stretch of steps began that led there, then the numbers of
    `workers.lab.engines.flow.state`.
    """

    slots: ClassVar[int] = 2
    scalars: ClassVar[int] = 8
    kind: Literal["gradient_flow"]
    rtol: Annotated[float, Field(ge=1e-13, le=1e-2)] = 1e-9
    atol: Annotated[float, Field(gt=0, le=1)] = 1e-12


Descent = GradientDescent | Momentum | Adam | GroupRmsprop
Optimizer = Annotated[Descent | GradientFlow, Field(discriminator="kind")]
