"""Experiments beside each other: one metric's median and quartiles against steps, time or loss."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.figures.extents import evenly
from service.figures.fitting import suited
from service.figures.kinds.base import Ask, DrawnRun, Kind, Scene
from service.figures.kinds.choices import check_abscissa, check_metrics, metrics_there_are
from service.figures.kinds.quartiles import median_and_band
from service.figures.metric_axes import abscissa_axis, axis_of, label_of, shown
from service.figures.picture import DASHES, Array, Axis, Panel, Picture, Series
from service.values.readings import loss_positions, readings
from workers.runs.metrics import BY_NAME, metrics_of, shown_in
from workers.runs.spec import RunSpec

_POINTS = 200
"""Positions along the axis at which runs, each recorded at steps of its own, are compared."""
_NOTE = "Median and quartiles of the runs that got as far, where at least half of them did."


def _settle(ask: Ask, specs: Sequence[RunSpec]) -> Ask:
    there_are = [name for name in metrics_there_are(specs) if BY_NAME[name].is_number]
    metric = ask.metric or next(name for name in shown_in("telling") if name in there_are)
    check_metrics("metric", [metric], there_are)
    x = ask.x or ("step" if metric == "loss" else "loss")
    return replace(ask, metric=metric, x=check_abscissa(x))


def _columns(spec: RunSpec, ask: Ask) -> tuple[str, ...]:
    recorded = metrics_of(spec)
    return tuple(dict.fromkeys((str(ask.x), str(ask.metric)))) if ask.metric in recorded else ()


def _picture(scene: Scene) -> Picture:
    metric, abscissa = str(scene.ask.metric), str(scene.ask.x)
    x = abscissa_axis(abscissa, scene.ask.x_scale, [run.spec for run in scene.runs])
    x, y = suited(x, *(run.columns[abscissa] for run in scene.runs)), axis_of(metric)
    series: list[Series] = []
    for number, name in enumerate(dict.fromkeys(run.experiment for run in scene.runs)):
        runs = [run for run in scene.runs if run.experiment == name]
        positions = _positions(runs, abscissa, x)
        values = np.array([_at(run, metric, abscissa, positions) for run in runs]).reshape(len(runs), -1)
        enough = (~np.isnan(values)).sum(axis=0) * 2 >= len(runs)
        samples = list(values[:, enough].T)
        series += median_and_band(positions[enough], samples, number, name, dash=DASHES[number % len(DASHES)])
    bands_first = sorted(series, key=lambda item: hasattr(item, "name"))
    title = f"{label_of(metric)} against {label_of(abscissa)}"
    return Picture(title, (Panel(x, y, tuple(bands_first)),), 1, note=_NOTE)


def _positions(runs: Sequence[DrawnRun], abscissa: str, axis: Axis) -> Array:
    """Where an experiment's runs are compared: evenly over all that they cover, as the axis is scaled."""
    values = np.concatenate([run.columns[abscissa] for run in runs]).astype(float)
    needs_logarithm = axis.scale == "log" or abscissa == "loss"
    values = values[np.isfinite(values) & ((values > 0) | (not needs_logarithm))]
    if not len(values):
        return np.empty(0)
    return evenly(float(values.min()), float(values.max()), _POINTS, axis.scale)


def _at(run: DrawnRun, metric: str, abscissa: str, positions: Array) -> Array:
    """A run's metric at some positions along the abscissa, (points,): NaN beyond its recorded points."""
    is_loss = abscissa == "loss"
    read = readings(run.columns[abscissa], shown(metric, run.columns[metric]), is_loss)
    return read.at(loss_positions(positions) if is_loss else positions)


KIND = Kind(
    name="compare",
    title="Experiments beside each other",
    about="One metric of this experiment and of others (with=ID,ID) against step, time or loss: the median of each "
    "experiment's runs in the band of their quartiles.",
    needs="runs with recorded points",
    applies=lambda _spec: True,
    picture=_picture,
    takes=("metric", "x", "x_scale", "others"),
    settle=_settle,
    columns=_columns,
)
