"""The points of one stretch of a flow, and their conversion to snapshots."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from workers.lab.engines.descents import Snapshots
from workers.lab.engines.flow.state import Instant
from workers.lab.engines.flow.systems import Reading

Array = npt.NDArray[np.float64]


class FlowPoints:
    """Points with consecutive point numbers.

    Args:
        sign: sign of the determinant that the flow carries, 0 for none.
        conserves: whether the flow conserves any quantity.
    """

    def __init__(self, sign: int, conserves: bool) -> None:
        self._sign = sign if sign else np.nan
        self._conserves = conserves
        self._point_numbers: list[int] = []
        self._times: list[float] = []
        self._readings: list[Reading] = []

    def __len__(self) -> int:
        return len(self._point_numbers)

    @property
    def point_numbers(self) -> npt.NDArray[np.int64]:
        """Numbers of the points, (points,)."""
        return np.array(self._point_numbers, dtype=np.int64)

    @property
    def times(self) -> Array:
        """Times of the points, (points,)."""
        return np.array(self._times)

    @property
    def losses(self) -> Array:
        """Losses of the points, (points,)."""
        return np.array([reading.loss for reading in self._readings])

    @property
    def last(self) -> Instant:
        """The last point."""
        return Instant(self._times[-1], self._readings[-1])

    def add(self, number: int, time: float, reading: Reading) -> None:
        """Append a point."""
        self._point_numbers.append(number)
        self._times.append(time)
        self._readings.append(reading)

    def drifts(self) -> Iterator[tuple[int, float]]:
        """Point number and drift of each point."""
        return zip(self._point_numbers, (reading.drift for reading in self._readings), strict=True)

    def hand_over(self, run: int, snapshots: Snapshots, kept: npt.NDArray[np.bool_]) -> None:
        """Add the points to the snapshots of a slice; and the factors of those that are kept, (points,)."""
        if not self._point_numbers:
            return
        readings = self._readings
        members, factors = np.full(len(readings), run), np.array([reading.factors for reading in readings])
        snapshots.keep(members[kept], self.point_numbers[kept], factors[kept])
        snapshots.add(
            members,
            self.point_numbers,
            self.losses,
            factors,
            time=self.times,
            carried_determinant=np.array([(self._sign, reading.log_abs_determinant) for reading in readings]),
            **({"conservation_drift": np.array([reading.drift for reading in readings])} if self._conserves else {}),
        )
