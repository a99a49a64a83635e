"""Readings: a recorded metric at any positions along steps, time or the falling loss.

A run is read off linearly between neighbouring recorded points, and only between its first and its last. Along the loss
its points are those at which the loss is lower than ever before: where it rises again, points are left out. Positions
there are minus the loss's logarithm, so that they ascend.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Readings:
    """A metric along an axis.

    Attributes:
        positions: (points,), ascending.
        values: of the metric there, (points,).
    """

    positions: Numbers
    values: Numbers

    def at(self, positions: Numbers) -> Numbers:
        """Values at any positions; NaN before the first point and after the last."""
        if not len(self.positions):
            return np.full(len(positions), np.nan)
        return np.interp(positions, self.positions, self.values, left=np.nan, right=np.nan)


def readings(along: npt.ArrayLike, values: npt.ArrayLike, is_loss: bool) -> Readings:
    """The readings of a run; points of which the axis or the metric is not a number are left out.

    Args:
        along: what was recorded of the axis, (points,).
        values: what was recorded of the metric, (points,).
        is_loss: whether the axis is the loss, which need not fall at every point.
    """
    numbers = np.array([along, values], dtype=np.float64)
    numbers = numbers[:, ~np.isnan(numbers).any(axis=0)]
    if not is_loss:
        return Readings(*numbers)
    positive = numbers[:, numbers[0] > 0]
    positions = loss_positions(positive[0])
    furthest = np.maximum.accumulate(np.concatenate([[-np.inf], positions]))
    falls = furthest[1:] > furthest[:-1]
    return Readings(positions[falls], positive[1, falls])


def loss_positions(losses: Numbers) -> Numbers:
    """Positions of positive losses."""
    return -np.log(losses)


def losses_at(positions: Numbers) -> Numbers:
    """The losses at positions."""
    return np.exp(-positions)
