"""Optimisers: how a step follows from the gradient, or the flow that is the limit of small steps.

The mathematics of each class is in `workers.lab.optimizers`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from workers.runs.base import Positive, SpecModel, classes_by_kind

Decay = Annotated[float, Field(ge=0, lt=1)]


class OptimizerBase(SpecModel, frozen=True):
    """Base of all kinds of optimiser.

    Class attributes:
        example: a small valid optimiser of this kind, as JSON values.
        slots: vectors in a state: the factors, then whatever the optimiser carries from step to step.
        scalars: single numbers in a state, which follow the vectors.
        multiply_adds: multiply-adds of a step per trained number.
        is_flow: whether it is integrated up to a time; otherwise it takes steps.
        is_fusable: whether the fused engine can take its steps.
    """

    example: ClassVar[Mapping[str, Any]]
    slots: ClassVar[int]
    scalars: ClassVar[int] = 0
    multiply_adds: ClassVar[int] = 1
    is_flow: ClassVar[bool] = False
    is_fusable: ClassVar[bool] = False


class GradientDescent(OptimizerBase, frozen=True):
    """F <- F - learning_rate * gradient."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "gradient_descent", "learning_rate": 0.05}
    slots: ClassVar[int] = 1
    is_fusable: ClassVar[bool] = True
    kind: Literal["gradient_descent"]
    learning_rate: Positive


class Momentum(OptimizerBase, frozen=True):
    """Heavy ball (Polyak 1964): v <- beta v + gradient, F <- F - learning_rate * v."""

    example: ClassVar[Mapping[str, Any]] = {"kind": "momentum", "learning_rate": 0.02, "beta": 0.8}
    slots: ClassVar[int] = 2
    multiply_adds: ClassVar[int] = 2
    is_fusable: ClassVar[bool] = True
    kind: Literal["momentum"]
    learning_rate: Positive
    beta: Decay = 0.9


class Adam(OptimizerBase, frozen=True):
    """Adam (Kingma and Ba 2015): m and v, running means of the gradient and of its square.

    F <- F - learning_rate * m' / (sqrt(v') + epsilon), m' = m / (1 - beta_1^t), v' = v / (1 - beta_2^t), t from 1.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "adam", "learning_rate": 0.02}
    slots: ClassVar[int] = 3
    multiply_adds: ClassVar[int] = 8
    kind: Literal["adam"]
    learning_rate: Positive
    beta_1: Decay = 0.9
    beta_2: Decay = 0.999
    epsilon: Positive = 1e-8


class GroupRmsprop(OptimizerBase, frozen=True):
    """One adaptive step size for all factors together (Razin and Cohen 2020).

    v <- beta v + (1 - beta) * sum of all squared gradient entries,
    F <- F - learning_rate / (sqrt(v / (1 - beta^t)) + epsilon) * gradient, v = 0 at the start, t from 1. What each
    factor adds to v is rounded to single precision first, as it is in the authors' trajectories.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "group_rmsprop", "learning_rate": 0.02}
    slots: ClassVar[int] = 1
    scalars: ClassVar[int] = 1
    multiply_adds: ClassVar[int] = 2
    kind: Literal["group_rmsprop"]
    learning_rate: Positive
    beta: Decay = 0.99
    epsilon: Positive = 1e-6


class GradientFlow(OptimizerBase, frozen=True):
    """dF/dt = -gradient, the limit of small learning rates, integrated with steps of its own choice.

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
