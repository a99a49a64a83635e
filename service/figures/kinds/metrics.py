"""Metrics of trajectories against steps, time or loss, one panel each: all norms and ranks on one page by default."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from service.figures.fitting import suited
from service.figures.kinds.base import Ask, Kind, Scene
from service.figures.kinds.choices import check_abscissa, check_metrics, metrics_there_are
from service.figures.kinds.switches import columns_of_switches, switches
from service.figures.kinds.theory_lines import theory_lines
from service.figures.looks import Look, looks_of
from service.figures.metric_axes import abscissa_axis, axis_of, label_of, shown
from service.figures.picture import Array, Axis, Line, Panel, Picture
from service.figures.thinning import drawable
from service.figures.variation import varying_paths
from workers.runs.metrics import METRICS, metrics_of, shown_in
from workers.runs.spec import RunSpec

NORMS, RANKS = shown_in("norms"), shown_in("ranks")
"""The page of matrices: what goes up above what goes down."""
_CROWD = 12
"""Runs from which on their lines are drawn faintly."""


def _settle(ask: Ask, specs: Sequence[RunSpec]) -> Ask:
    there_are = metrics_there_are(specs)
    check_metrics("metrics", ask.metrics, there_are)
    x = check_abscissa(ask.x or "step")
    usual = (*NORMS, *RANKS) if "nuclear_norm" in there_are else shown_in("tensor")
    usual = tuple(name for name in usual if name in there_are and name != x)
    return replace(ask, metrics=ask.metrics or usual, x=x)


def _columns(spec: RunSpec, ask: Ask) -> tuple[str, ...]:
    recorded = [name for name in ask.metrics if name in metrics_of(spec)]
    return tuple(dict.fromkeys((str(ask.x), *recorded, *columns_of_switches(spec)))) if recorded else ()


def _picture(scene: Scene) -> Picture:
    specs = [run.leaves for run in scene.runs]
    varying = varying_paths(specs, scene.order)
    looks, color_scale = looks_of(specs, varying)
    x = abscissa_axis(str(scene.ask.x), scene.ask.x_scale, [run.spec for run in scene.runs])
    x = suited(x, *(run.columns[str(scene.ask.x)] for run in scene.runs))
    most = max(1, scene.most_points // (len(scene.runs) * len(scene.ask.metrics)))
    panels = [_panel(name, scene, x, looks, varying, most) for name in scene.ask.metrics]
    title = f"{', '.join(map(label_of, scene.ask.metrics))} against {label_of(str(scene.ask.x))}"
    return Picture(title, tuple(panels), _columns_of_page(scene.ask.metrics), color_scale)


def _columns_of_page(metrics: Sequence[str]) -> int:
    """As many panels beside each other as there are norms, where norms stand above ranks."""
    norms = sum(name in NORMS for name in metrics)
    if norms > 2 and norms < len(metrics) <= 2 * norms and all(name in NORMS for name in metrics[:norms]):
        return norms
    return len(metrics) if len(metrics) <= 3 else min(4, ceil(len(metrics) / 2))


def _panel(name: str, scene: Scene, x: Axis, looks: Sequence[Look], varying: Sequence[str], most: int) -> Panel:
    have = [(run, look) for run, look in zip(scene.runs, looks, strict=True) if name in run.columns]
    y = suited(axis_of(name), *(shown(name, run.columns[name]) for run, _ in have))
    crowded = len(have) > _CROWD
    lines: list[Line] = []
    for run, look in have:
        at, values = drawable(run.columns[str(scene.ask.x)], shown(name, run.columns[name]), x, y, most)
        lines += _lines(at, values, look, run.about(varying), crowded)
    bounds = theory_lines([run for run, _ in have], name) if scene.ask.x == "loss" else []
    if bounds and y.scale == "linear":
        y = replace(y, limits=_limits(lines))
    further = (*bounds, *switches([run for run, _ in have], str(scene.ask.x), lines))
    return Panel(x, replace(y, label=""), (*lines, *further), y.label)


def _lines(at: Array, values: Array, look: Look, about: str, crowded: bool) -> list[Line]:
    """A line of a metric (points,), several of a vector (points, width)."""
    width, opacity = (0.8, 0.6) if crowded else (1.3, 1.0)
    components = values.T if values.ndim == 2 else [values]
    return [Line(at, component, look.color, look.name, about, look.dash, width, opacity) for component in components]


def _limits(lines: Sequence[Line]) -> tuple[float, float] | None:
    """What the runs need, however far beyond them a bound goes."""
    values = np.concatenate([line.y for line in lines])
    values = values[np.isfinite(values)]
    if not len(values) or values.min() == values.max():
        return None
    room = 0.06 * float(values.max()) - 0.06 * float(values.min())
    return float(values.min()) - room, float(values.max()) + room


KIND = Kind(
    name="metrics",
    title="Metrics along the way",
    about=f"Any of the metrics ({', '.join(METRICS)}) against step, time or loss, one panel each; by default every "
    "norm above the ranks. Against loss, theory's bounds are dashed; dotted lines stand where phases end.",
    needs="runs with recorded points",
    applies=lambda _spec: True,
    picture=_picture,
    takes=("metrics", "x", "x_scale"),
    settle=_settle,
    columns=_columns,
)
