"""How runs came out over two axes of a sweep, as a heat map of medians."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.figures.kinds.base import Ask, DrawnRun, Kind, Scene, refuse
from service.figures.kinds.choices import metrics_there_are
from service.figures.metric_axes import label_of, shown
from service.figures.picture import Array, Axis, Cells, ColorScale, Panel, Picture
from service.figures.variation import REPETITIONS, is_wide, values_of, varying_paths
from service.values.digits import told_apart
from service.values.field_labels import field_label
from service.values.quantiles import median
from workers.runs.metrics import BY_NAME, shown_in, summary_metrics_of
from workers.runs.spec import RunSpec

OUTCOME = "outcome"
_ALWAYS = (OUTCOME, "steps", "time")
_MOST_VALUES = 60
"""Values of one axis: more would be thinner than their labels."""


def _settle(ask: Ask, specs: Sequence[RunSpec]) -> Ask:
    measured = [*metrics_there_are(specs), *dict.fromkeys(name for spec in specs for name in summary_metrics_of(spec))]
    there_are = [*_ALWAYS, *(name for name in measured if BY_NAME[name].type != "vector")]
    metric = ask.metric or next(name for name in shown_in("telling") if name in there_are)
    if metric not in there_are:
        why = "No run of this experiment has a single number" if metric in BY_NAME else "There is no metric"
        raise refuse("metric", f"{why} {metric!r}; their summaries have {', '.join(there_are)}.")
    return replace(ask, metric=metric)


def _picture(scene: Scene) -> Picture:
    specs, metric = [run.leaves for run in scene.runs], str(scene.ask.metric)
    x, y = _axes(scene)
    columns, rows = values_of(x, specs), values_of(y, specs) if y else [None]
    for parameter, path, values in (("x", x, columns), ("y", y, rows)):
        if len(values) > _MOST_VALUES:
            detail = f"The field {path!r} has {len(values)} values; a heat map has room for {_MOST_VALUES}."
            raise refuse(parameter, detail)
    medians = _medians(scene.runs, metric, (x, columns), (y, rows))
    label = "share of runs that converged" if metric == OUTCOME else f"median {label_of(metric)}"
    cells = Cells(medians, tuple(_texts(rows)) if y else ("",), tuple(_texts(columns)))
    panel = Panel(Axis(field_label(x)), Axis(field_label(y) if y else ""), (cells,))
    scale = ColorScale(label, 0, 1) if metric == OUTCOME else _color_scale(label, medians)
    return Picture(f"{label} over {field_label(x)}", (panel,), 1, scale)


def _axes(scene: Scene) -> tuple[str, str]:
    """The chosen fields; for those left open, those with the most values. "" for a lone row."""
    specs = [run.leaves for run in scene.runs]
    paths = dict.fromkeys(path for spec in specs for path in spec)
    varying = varying_paths(specs, scene.order)
    for parameter, path in (("x", scene.ask.x), ("y", scene.ask.y)):
        if path is not None and path not in paths:
            those = ", ".join(varying) or "none"
            raise refuse(
                parameter, f"No run has a field {path!r} in its spec; those that differ between runs: {those}."
            )
    chosen = [path for path in (scene.ask.x, scene.ask.y) if path]
    free = [path for path in varying if path not in chosen]
    free.sort(key=lambda path: -len(values_of(path, specs)))
    x = scene.ask.x or (free.pop(0) if free else _repetition(paths))
    return x, scene.ask.y or (free[0] if free else "")


def _repetition(paths: dict[str, None]) -> str:
    return next(path for path in REPETITIONS if path in paths)


def _medians(
    runs: Sequence[DrawnRun], metric: str, x: tuple[str, Sequence[object]], y: tuple[str, Sequence[object]]
) -> Array:
    """The median of what was measured in each cell, (rows, columns); NaN where nothing was."""
    measured: dict[tuple[object, object], list[float]] = defaultdict(list)
    for run in runs:
        value = run.row[metric]
        if metric == OUTCOME:
            value = None if value is None else float(value == "converged")
        if value is not None:
            measured[run.leaves.get(y[0]), run.leaves.get(x[0])].append(float(value))
    aggregate = np.mean if metric == OUTCOME else median
    cells = [[measured.get((row, column), [np.nan]) for column in x[1]] for row in y[1]]
    return np.array([[aggregate(shown(metric, np.array(cell))) for cell in row] for row in cells], dtype=float)


def _color_scale(label: str, values: Array) -> ColorScale:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if low < high and is_wide((low, high)):
        return ColorScale(label, low, high, "log")
    room = 0.0 if low < high else 0.1 * abs(low) or 1.0
    return ColorScale(label, low - room, high + room)


def _texts(values: Sequence[object]) -> list[str]:
    """Different values as texts that differ."""
    texts = told_apart(["none" if value is None else value for value in values])
    return [
        text if isinstance(value, float) else text.replace("_", " ") for value, text in zip(values, texts, strict=True)
    ]


KIND = Kind(
    name="sweep",
    title="Outcome over a sweep",
    about="A heat map over two fields of the spec (x, y; by default those with the most values) of a summary's metric, "
    "or of the share of runs that converged (metric=outcome): medians over everything else.",
    needs="runs with recorded points",
    applies=lambda _spec: True,
    picture=_picture,
    takes=("x", "y", "metric"),
    settle=_settle,
    summary=lambda ask: () if ask.metric == OUTCOME else (str(ask.metric),),
    reads_points=False,
)
