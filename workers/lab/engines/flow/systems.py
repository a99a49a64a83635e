"""Flow systems: the coordinates of a run that are integrated, their velocity, and the factors that they give."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

INCREMENT = float(np.finfo(np.float64).eps) ** 0.5
"""Relative increment of a forward difference, which leaves half of the digits to the difference."""


@dataclass(frozen=True)
class Reading:
    """A run's factors at one time, and the quantities computed with them.

    Attributes:
        factors: (trained numbers,).
        log_abs_determinant: as carried by the flow; NaN where it carries none.
        loss: the run's loss, NaN where it has not been computed.
        drift: change of the conserved quantities, as a fraction of the size of the factors, or of the product.
    """

    factors: Array
    log_abs_determinant: float
    loss: float
    drift: float


class System(Protocol):
    """Coordinates y (size,) with dy/dt = velocity(y)."""

    def coordinates_of(self, reading: Reading) -> Array:
        """The coordinates (size,) of a run with this reading."""
        ...

    def velocity(self, coordinates: Array) -> Array:
        """dy/dt at coordinates (..., size)."""
        ...

    def loss(self, coordinates: Array) -> float:
        """The loss at coordinates (size,)."""
        ...

    def read(self, coordinates: Array, before: Reading) -> Reading:
        """The reading at coordinates (size,) that were integrated from those of the reading `before`."""
        ...


def jacobian(system: System, coordinates: Array) -> Array:
    """d velocity / d coordinates (size, size), by forward differences in a single call of `velocity`."""
    step = INCREMENT * np.maximum(np.abs(coordinates), min(1.0, float(np.abs(coordinates).max())) or 1.0)
    moved = system.velocity(np.vstack([coordinates, coordinates + np.diag(step)]))
    return ((moved[1:] - moved[0]) / step[:, None]).T
