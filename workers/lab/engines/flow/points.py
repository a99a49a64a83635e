"""The points of one stretch of a flow, and how they are handed over."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from workers.lab.engines.descents import Snapshots
from workers.lab.engines.flow.systems import Standing

Array = npt.NDArray[np.float64]


class FlowPoints:
    """Points with ascending numbers, none left out.

    Args:
        sign: of the determinant that the flow carries, 0 for none.
        conserves: whether there is anything that the flow conserves.
    """

    def __init__(self, sign: int, conserves: bool) -> None:
        self._sign = sign if sign else np.nan
        self._conserves = conserves
        self._numbers: list[int] = []
        self._times: list[float] = []
        self._standings: list[Standing] = []

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Their numbers, (points,)."""
        return np.array(self._numbers, dtype=np.int64)

    @property
    def losses(self) -> Array:
        """Their losses, (points,)."""
        return np.array([one.loss for one in self._standings])

    def add(self, number: int, time: float, standing: Standing) -> None:
        """Append a point."""
        self._numbers.append(number)
        self._times.append(time)
        self._standings.append(standing)

    def drifts(self) -> Iterator[tuple[int, float]]:
        """Number and drift of each point."""
        return zip(self._numbers, (one.drift for one in self._standings), strict=True)

    def hand_over(self, run: int, snapshots: Snapshots) -> None:
        """Add the points to the snapshots of a slice."""
        if not self._numbers:
            return
        standings = self._standings
        snapshots.add(
            np.full(len(standings), run),
            self.numbers,
            self.losses,
            np.array([one.factors for one in standings]),
            time=np.array(self._times),
            carried_determinant=np.array([(self._sign, one.log_abs_determinant) for one in standings]),
            **({"conservation_drift": np.array([one.drift for one in standings])} if self._conserves else {}),
        )
