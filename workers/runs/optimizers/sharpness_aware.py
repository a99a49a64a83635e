"""Descent by the gradient of a nearby point."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from workers.runs.base import Positive
from workers.runs.optimizers.base import DescentBase


class Sam(DescentBase, frozen=True):
    """Sharpness-aware minimisation (Foret, Kleiner, Mobahi, Neyshabur 2021), by gradient descent.

    F <- F - learning_rate * gradient at F + rho g / |g|, with g the gradient of the loss at F and |g| the norm over all
    trained numbers; where g is 0 the gradient is that at F. A decay is taken at F. With Polyak's rate the loss is that
    at F and the gradient that of the step.
    """

    example: ClassVar[Mapping[str, Any]] = {"kind": "sam", "learning_rate": 0.05, "rho": 0.01}
    slots: ClassVar[int] = 1
    multiply_adds: ClassVar[int] = 3
    evaluations: ClassVar[int] = 2
    kind: Literal["sam"]
    rho: Positive = 0.05
