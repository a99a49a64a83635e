"""Flow systems: what is integrated of a run, how fast it moves, and what it says of the factors."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

INCREMENT = float(np.finfo(np.float64).eps) ** 0.5
"""Of a number by which a derivative is taken, as a fraction of its size: half the digits are left to the difference."""


@dataclass(frozen=True)
class Standing:
    """A run at one time.

    Attributes:
        factors: (trained numbers,).
        log_abs_determinant: as carried; NaN where it is not.
        loss: of the run.
        drift: how far what the flow conserves has moved, as a fraction of the size of the factors, or of the product.
    """

    factors: Array
    log_abs_determinant: float
    loss: float
    drift: float


class System(Protocol):
    """Numbers y (size,) with dy/dt = velocity(y)."""

    def begin(self, standing: Standing) -> Array:
        """The numbers of a run that stands like this."""
        ...

    def velocity(self, numbers: Array) -> Array:
        """dy/dt at numbers (..., size)."""
        ...

    def loss(self, numbers: Array) -> float:
        """The loss at numbers (size,)."""
        ...

    def stand(self, numbers: Array, before: Standing) -> Standing:
        """The run at numbers (size,) that were integrated since it stood as `before`."""
        ...


def jacobian(system: System, numbers: Array) -> Array:
    """d velocity / d numbers (size, size), by forward differences, all of them in one call."""
    step = INCREMENT * np.maximum(np.abs(numbers), min(1.0, float(np.abs(numbers).max())) or 1.0)
    moved = system.velocity(np.vstack([numbers, numbers + np.diag(step)]))
    return ((moved[1:] - moved[0]) / step[:, None]).T
