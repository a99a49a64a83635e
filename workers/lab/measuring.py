"""Measuring: the snapshots of a slice become points with all their metrics while it goes on, within its clock.

The seconds that a point takes are estimated from its multiply-adds. Every measurement corrects the estimate by one
factor for all runs of the batch.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.lab.engines.descents import CHEAP_SECONDS, NO_LIMIT, POINT_BYTES, Clock, Snapshots
from workers.lab.metrics.matrix import matrix_metrics
from workers.lab.metrics.penalties import objective_columns
from workers.lab.metrics.tensor import tensor_metrics
from workers.results import Points
from workers.runs.costs import seconds_per_point
from workers.runs.metrics.applicability import of_components, of_cuts, of_matrices
from workers.runs.spec import RunSpec, times_at

Column = npt.NDArray[Any]

MOST_PENDING_BYTES = 16 * 2**20
"""Memory of the factors of points that wait to be measured together."""


FIRST_POINTS = 32
"""Points beyond one of each run that are recorded before any is measured, as estimates may be far off."""


class MeasuredSnapshots(Snapshots):
    """Snapshots that are measured on the way; the metrics of a point do not depend on those measured with it.

    Args:
        specs: the batch, sharing a batch key.
    """

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        super().__init__()
        self._specs = specs
        self._estimates = np.array([seconds_per_point(spec) for spec in specs])
        self._correction = 1.0
        self._measured: list[Points] = []

    def prices(self, members: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """See `Snapshots.prices`."""
        return self._correction * self._estimates[members]

    def most_points(self, runs: int) -> int:
        """See `Snapshots.most_points`; few until the first ones have been measured."""
        return NO_LIMIT if self._measured else runs + FIRST_POINTS

    def settle(self, clock: Clock) -> None:
        """Measure the points that wait, or reserve the time for it while it is short; the first ones at once."""
        seconds, waiting = self._estimated_seconds() * self._correction, sum(factors.nbytes for factors in self.factors)
        if seconds >= CHEAP_SECONDS or waiting >= MOST_PENDING_BYTES or not self._measured:
            self._measure()
            seconds = 0.0
        clock.reserve(seconds)

    def points(self) -> Points:
        """All points with all their metrics, ordered by run and step."""
        self._measure()
        if not self._measured:
            return Points(np.zeros(0, dtype=np.int64), {})
        member = np.concatenate([points.member for points in self._measured])
        names = self._measured[0].columns
        columns = {name: np.concatenate([points.columns[name] for points in self._measured]) for name in names}
        return _ordered(Points(member, columns))

    def _estimated_seconds(self) -> float:
        return float(sum(self._estimates[member].sum() for member in self.member))

    def _measure(self) -> None:
        """Measure the points that wait, and compare the time with the estimate."""
        if not self.member:
            return
        started, estimated = time.perf_counter(), self._estimated_seconds()
        self._measured.append(_points(self._specs, self))
        self._correction = (time.perf_counter() - started) / estimated
        points = self._measured[-1]
        self.nbytes += max(0, sum(map(_nbytes, points.columns.values())) - POINT_BYTES * len(points.member))
        for waiting in (self.member, self.step, self.loss, self.factors, self.engine_columns):
            waiting.clear()


def _nbytes(column: npt.NDArray[Any]) -> int:
    return column.nbytes


def _points(specs: Sequence[RunSpec], snapshots: Snapshots) -> Points:
    """Snapshots with all their metrics, ordered by run and step."""
    engine_columns = {
        name: np.concatenate([columns[name] for columns in snapshots.engine_columns])
        for name in snapshots.engine_columns[0]
    }
    bare = {
        "step": np.concatenate(snapshots.step),
        "loss": np.concatenate(snapshots.loss).astype(np.float64),
        "factors": np.concatenate(snapshots.factors),
    }
    ordered = _ordered(Points(np.concatenate(snapshots.member), {**bare, **engine_columns}))
    member, columns = ordered.member, dict(ordered.columns)
    factors, carried = columns.pop("factors"), columns.pop("carried_determinant", None)
    times = {} if "time" in columns else {"time": _times(specs, member, columns["step"])}
    measured = {**times, **columns, **_metrics(specs, member, factors, carried)}
    return Points(member, measured | objective_columns(specs, member, measured["loss"], factors))


def _times(specs: Sequence[RunSpec], member: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> Column:
    """The sum of the rates of all steps before each point, (points,), of runs with points in order."""
    cuts = np.searchsorted(member, np.arange(len(specs) + 1))
    return np.concatenate(
        [times_at(spec, steps[begin:end]) for spec, begin, end in zip(specs, cuts, cuts[1:], strict=False)]
    )


def _ordered(points: Points) -> Points:
    order = np.lexsort((points.columns["step"], points.member))
    return Points(points.member[order], {name: column[order] for name, column in points.columns.items()})


def _metrics(
    specs: Sequence[RunSpec],
    member: npt.NDArray[np.int64],
    factors: npt.NDArray[Any],
    carried: npt.NDArray[Any] | None,
) -> dict[str, Any]:
    if of_components(specs[0]) or of_cuts(specs[0]) or not of_matrices(specs[0]):
        return tensor_metrics(specs, member, factors)
    return matrix_metrics(specs, member, factors, carried)
