"""Distance of descent to the gradient flow at equal time against learning rate, one panel per model.

Gradient descent is Euler's method on the flow: its distance falls in proportion to the learning rate, the guide line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np

from service.figures.kinds.base import Ask, DrawnRun, Kind, Scene
from service.figures.picture import MARKERS, Array, Axis, Line, Panel, Picture
from service.values.labels import model_label, start_labels
from service.values.quantiles import median
from service.values.specs import text_of
from workers.runs.metrics import metrics_of
from workers.runs.spec import RunSpec

MEASURES = {"entries": "tracked entries", "unobserved_entry": "unobserved entry"}
"""What distances can be taken of: the first that a run records."""

_OF_A_FLOW = ("problem", "model", "init", "loss", "seed")
"""Parts of a spec that a descent shares with the flow it follows."""

EARLIEST = 1e-3
"""Times are interpolated on a logarithmic scale from here on."""

GUIDE_BELOW = 0.7


@dataclass(frozen=True)
class _Distance:
    """How far one descent is from its flow, and which line and panel that is a point of."""

    panel: tuple[int, str]
    label: str
    learning_rate: float
    distance: float


def _measure(spec: RunSpec) -> str | None:
    return next((name for name in MEASURES if name in metrics_of(spec)), None)


def _columns(spec: RunSpec, _ask: Ask) -> tuple[str, ...]:
    measure = _measure(spec)
    return () if measure is None or not (spec.is_flow or spec.descends) else ("time", measure)


def _has_both(specs: Sequence[RunSpec]) -> bool:
    return any(spec.is_flow for spec in specs) and any(spec.descends for spec in specs)


def _picture(scene: Scene) -> Picture:
    title = "distance of descent to the gradient flow"
    distances = list(_distances(scene.runs))
    if not distances:
        return Picture(title, message="No descent here has a gradient_flow from the same start beside it.")
    panels = sorted({point.panel for point in distances})
    labels = sorted({point.label for point in distances})
    measures = {MEASURES[name] for run in scene.runs if (name := _measure(run.spec)) is not None}
    y = Axis(f"distance to the flow at equal time ({', '.join(sorted(measures))})", "log")
    drawn = tuple(
        _panel(name, [point for point in distances if point.panel == (at, name)], labels, y) for at, name in panels
    )
    return Picture(title, drawn, legend_title="start")


def _panel(title: str, points: Sequence[_Distance], labels: Sequence[str], y: Axis) -> Panel:
    lines = [
        _median_line([point for point in points if point.label == label], label, number)
        for number, label in enumerate(labels)
        if any(point.label == label for point in points)
    ]
    return Panel(Axis("learning rate", "log"), y, (*lines, _guide(points)), title)


def _median_line(points: Sequence[_Distance], label: str, number: int) -> Line:
    rates = sorted({point.learning_rate for point in points})
    medians = [median([point.distance for point in points if point.learning_rate == rate]) for rate in rates]
    marker = MARKERS[number % len(MARKERS)]
    return Line(np.array(rates), np.array(medians), number, label, f"start {label}", marker=marker)


def _guide(points: Sequence[_Distance]) -> Line:
    """A line of slope one, a little below all points."""
    rates = np.array([point.learning_rate for point in points])
    ends = np.array([rates.min(), rates.max()])
    slope = GUIDE_BELOW * min(point.distance / point.learning_rate for point in points)
    return Line(ends, slope * ends, "ink", "first order", "proportional to the learning rate", dash="dash")


def _distances(runs: Sequence[DrawnRun]) -> list[_Distance]:
    """Each descent that has a flow to follow, with its distance at the last time that both have recorded."""
    flows = {text_of(run.resolved, _OF_A_FLOW): run for run in runs if run.spec.is_flow}
    distances: list[_Distance] = []
    for run, start in zip(runs, start_labels([run.resolved for run in runs]), strict=True):
        flow = flows.get(text_of(run.resolved, _OF_A_FLOW))
        if run.spec.constant_learning_rate is None or flow is None:
            continue
        distance = _distance(flow, run)
        if distance is not None and distance > 0:
            panel = run.resolved["model"].get("depth", 0), model_label(run.resolved)
            distances.append(_Distance(panel, start, run.spec.constant_learning_rate, distance))
    return distances


def _distance(flow: DrawnRun, descent: DrawnRun) -> float | None:
    """||descent - flow|| at the descent's last point that the flow has come to, None where there is none.

    Points that are not finite are none.
    """
    measure = _measure(flow.spec)
    if measure is None or measure != _measure(descent.spec) or flow.spec.record.entries != descent.spec.record.entries:
        return None
    (times, there), (at, here) = _finite_points(flow, measure), _finite_points(descent, measure)
    reached = at <= times[-1] * (1 + 1e-9) if len(times) > 1 else np.zeros(len(at), dtype=bool)
    if not reached.any():
        return None
    last = np.flatnonzero(reached)[-1]
    return _size_of(here[last] - _interpolated(times, there, min(float(at[last]), float(times[-1]))))


def _interpolated(times: Array, vectors: Array, time: float) -> Array:
    """The vector (width,) at a time between the first and the last of `times`."""
    from scipy.interpolate import CubicSpline  # loaded by the first figure: an API that starts has no use for it

    size = float(np.abs(vectors).max(initial=0.0)) or 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        return CubicSpline(_scaled(times), vectors / size)(_scaled(time)) * size


def _scaled(time: Array | float) -> Any:
    """Where a time is on the scale of interpolation, ln(1 + time / EARLIEST); the quotient need not be a float."""
    return np.log(EARLIEST + np.asarray(time)) - np.log(EARLIEST)


def _size_of(vector: Array) -> float:
    """||vector||, whose square need not be a float."""
    return hypot(*vector.tolist())


def _finite_points(run: DrawnRun, measure: str) -> tuple[Array, Array]:
    """Times (points,) and vectors (points, width) of the points that are finite, each later than those before."""
    times, column = run.columns["time"].astype(float), run.columns[measure].astype(float)
    vectors = column if column.ndim == 2 else column[:, np.newaxis]
    finite = np.isfinite(times) & (times >= 0) & np.isfinite(vectors).all(axis=1)
    times, vectors = times[finite], vectors[finite]
    latest = np.maximum.accumulate(np.concatenate([[-np.inf], _scaled(times)]))
    later = latest[1:] > latest[:-1]
    return times[later], vectors[later]


KIND = Kind(
    name="convergence",
    title="Distance to the flow against learning rate",
    about="Distance of descents to the gradient flow from the same start, at equal time, against their learning rates.",
    needs="descents beside a gradient_flow from the same start, which record entries or have one that is unobserved",
    applies=lambda spec: spec.is_flow and _measure(spec) is not None,
    picture=_picture,
    columns=_columns,
    is_telling=_has_both,
)
