"""Optimisers whose steps scale single numbers, or all of them alike."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from workers.runs.base import Positive
from workers.runs.optimizers.base import Decay, DescentBase


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


class Signum(DescentBase, frozen=True):
    """Sign descent with momentum (Bernstein, Wang, Azizzadenesheli, Anandkumar 2018, Algorithm 2).

    m <- beta m + (1 - beta) gradient, F <- F - learning_rate * sign(m), the sign of 0 being 0.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "signum", "learning_rate": 0.01}
    slots: ClassVar[int] = 2
    multiply_adds: ClassVar[int] = 3
    is_fusable: ClassVar[bool] = True
    is_equivariant: ClassVar[bool] = False
    kind: Literal["signum"]
    beta: Decay = 0.9

    @property
    def share(self) -> float:
        """1 - beta, the share of a new gradient."""
        return 1 - self.beta


class Lion(DescentBase, frozen=True):
    """Lion (Chen and others 2023, arXiv:2302.06675, Program 1); its own weight decay is the decoupled decay.

    c = beta_1 m + (1 - beta_1) gradient, F <- F - learning_rate * sign(c), m <- beta_2 m + (1 - beta_2) gradient.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "lion", "learning_rate": 0.01}
    slots: ClassVar[int] = 2
    multiply_adds: ClassVar[int] = 5
    is_fusable: ClassVar[bool] = True
    is_equivariant: ClassVar[bool] = False
    kind: Literal["lion"]
    beta_1: Decay = 0.9
    beta_2: Decay = 0.99

    @property
    def share_1(self) -> float:
        """1 - beta_1, the share of a new gradient in a step."""
        return 1 - self.beta_1

    @property
    def share_2(self) -> float:
        """1 - beta_2, the share of a new gradient in the mean."""
        return 1 - self.beta_2


class Rmsprop(DescentBase, frozen=True):
    """RMSProp (Tieleman and Hinton 2012), not centred and without a correction for the zero that v starts from.

    v <- beta v + (1 - beta) gradient^2, F <- F - learning_rate * gradient / (sqrt(v) + epsilon), as in torch.optim.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "rmsprop", "learning_rate": 0.003}
    slots: ClassVar[int] = 2
    multiply_adds: ClassVar[int] = 5
    is_fusable: ClassVar[bool] = True
    is_equivariant: ClassVar[bool] = False
    kind: Literal["rmsprop"]
    beta: Decay = 0.99
    epsilon: Positive = 1e-8

    @property
    def share(self) -> float:
        """1 - beta, the share of a new square."""
        return 1 - self.beta


class Adam(DescentBase, frozen=True):
    """Adam (Kingma and Ba 2015): m and v, running means of the gradient and of its square.

    F <- F - learning_rate * m' / (sqrt(v') + epsilon), m' = m / (1 - beta_1^t), v' = v / (1 - beta_2^t), t from 1.
    With `shared_scale` all numbers of all factors share v, the running mean of the mean of their squared gradients; a
    step then goes along m, and does not depend on how a product is factorised.
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
    shared_scale: bool = False

    @property
    def unfused_name(self) -> str | None:
        """See `OptimizerBase`."""
        return "adam with a shared_scale" if self.shared_scale else None

    @property
    def respects_factorisation(self) -> bool:
        """See `OptimizerBase`."""
        return self.shared_scale

    def batch_words(self) -> Sequence[str]:
        """See `OptimizerBase`."""
        return [*super().batch_words(), *(["shared_scale"] if self.shared_scale else [])]

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
