"""Curves of an experiment: quantiles of a metric over the runs of each group, along steps, time or loss.

All runs are read at the same positions, see `service.values.readings`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from service.errors import FieldError, InvalidPayload
from service.schemas.summaries import Curves, GroupCurves
from service.settings import Limits
from service.store.database import Database
from service.store.point_streams import stream_numbers
from service.store.points import PointSelection
from service.use_cases.groups import grouped, grouping_fields, selected_in
from service.values.numbers import spell
from service.values.quantiles import five_numbers
from service.values.readings import Readings, losses_at, readings
from workers.runs.metrics import BY_NAME, METRICS

Axis = Literal["step", "time", "loss"]
Numbers = npt.NDArray[np.float64]
_NAMES = ("min", "lower_quartile", "median", "upper_quartile", "max")


@dataclass(frozen=True)
class CurveQuery:
    """The curves of a request.

    Attributes:
        places: number of positions along the axis.
    """

    metric: str
    x: Axis
    group_by: str | None
    where: str | None
    places: int


def spread_along(database: Database, experiment_id: str, query: CurveQuery, limits: Limits) -> Curves:
    """Quantiles of a metric over the runs of each group, at common positions of an axis.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: a mistake in the query.
    """
    if query.metric not in METRICS or not BY_NAME[query.metric].is_number:
        names = ", ".join(name for name in METRICS if BY_NAME[name].is_number)
        raise InvalidPayload([FieldError("/metric", f"There is no curve of {query.metric!r}; take one of {names}.", 0)])
    fields = grouping_fields(query.group_by, limits)
    items = [
        GroupCurves(
            group=dict(group.values), runs=len(group.ids), columns=_columns(database, group.ids.tolist(), query)
        )
        for group in grouped(database, selected_in(database, experiment_id, query.where, limits), fields)
    ]
    return Curves(experiment_id=experiment_id, metric=query.metric, x=query.x, items=items)


def _columns(database: Database, run_ids: Sequence[int], query: CurveQuery) -> dict[str, list[Any]]:
    runs = [run for run in _read(database, run_ids, query) if len(run.positions)]
    if not runs:
        return {name: [] for name in (query.x, "count", *_NAMES)}
    positions = _positions(runs, query)
    values = np.array([run.at(positions) for run in runs])  # (runs, positions), NaN outside a run's range
    counts = np.count_nonzero(~np.isnan(values), axis=0)
    reached = counts > 0
    spread = zip(*map(five_numbers, values.T[reached]), strict=True)
    columns = {name: [spell(value) for value in quantile] for name, quantile in zip(_NAMES, spread, strict=True)}
    shown = losses_at(positions) if query.x == "loss" else positions
    return {query.x: shown[reached].tolist(), "count": counts[reached].tolist(), **columns}


def _read(database: Database, run_ids: Sequence[int], query: CurveQuery) -> Iterator[Readings]:
    selection, held = PointSelection((query.x, query.metric)), list[Numbers]()
    for read in stream_numbers(database, run_ids, selection):
        points = np.concatenate([*held, read], axis=1)
        starts = np.flatnonzero(np.diff(points[0])) + 1
        *complete, last = np.split(points, starts, axis=1)
        yield from (_readings(run, query) for run in complete)
        held = [last]
    yield from (_readings(run, query) for run in held)


def _readings(run: Numbers, query: CurveQuery) -> Readings:
    _, _, along, values = run
    return readings(along, values, query.x == "loss")


def _positions(runs: Sequence[Readings], query: CurveQuery) -> Numbers:
    """Common positions from the first to the last of any run, evenly spaced in the logarithm.

    A 0 precedes them if a run has points there; losses are spaced evenly, since they are logarithms already.
    """
    least = min(run.positions[0] for run in runs)
    greatest = max(run.positions[-1] for run in runs)
    if query.x == "loss" or greatest <= 0:
        return np.linspace(least, greatest, query.places)
    first = min(run.positions[run.positions > 0][0] for run in runs if run.positions[-1] > 0)
    positions = np.concatenate([[0.0] if least <= 0 else [], np.geomspace(first, greatest, query.places)])
    return np.unique(np.round(positions)).astype(np.float64) if query.x == "step" else positions
