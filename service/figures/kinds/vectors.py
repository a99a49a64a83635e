"""Vector metrics along the way: a panel for each sort of run, a colour for each component."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.figures.fitting import suited
from service.figures.kinds.base import DrawnRun, Kind, Scene
from service.figures.kinds.choices import check_abscissa
from service.figures.kinds.switches import columns_of_switches, switches
from service.figures.metric_axes import abscissa_axis, axis_of, shown
from service.figures.metric_axes import label_of as metric_label
from service.figures.picture import Array, Axis, Color, Line, Panel, Picture, Shade
from service.figures.thinning import drawable
from service.figures.variation import labels_of, varying_paths
from workers.runs.metrics import metrics_of
from workers.runs.spec import RunSpec

MOST_PANELS = 6
_MOST_HUES = 4
"""Components that get a colour of the palette each; more are told apart by shades of one scale."""
_MOST_NAMES = 10


Names = Callable[[RunSpec, int], Sequence[str]]
"""What so many components of a run's vector are called."""

Level = Callable[[RunSpec], tuple[str, float] | None]
"""A value that a run's vector is held against, with its name."""


def numbered(component: str) -> Names:
    """Components that are told apart by their numbers, from 1."""
    return lambda _spec, count: [f"{component} {number}" for number in range(1, count + 1)]


def vector_kind(
    metric: str,
    names: Names,
    title: str,
    about: str,
    needs: str,
    legend: Names | None = None,
    level: Level | None = None,
) -> Kind:
    """The kind that draws a vector metric.

    Args:
        names: of its components.
        legend: their entries in the legend; those with the same share a colour. Their names by default.
        level: a dashed line of each run.
    """
    words = _Words(metric, names, legend or names, level)
    return Kind(
        name=metric,
        title=title,
        about=about,
        needs=needs,
        applies=lambda spec: metric in metrics_of(spec),
        picture=lambda scene: _Vectors(words, scene).picture(),
        takes=("x", "x_scale"),
        settle=lambda ask, _specs: replace(ask, x=check_abscissa(ask.x or "step")),
        columns=lambda spec, ask: (
            (str(ask.x), metric, *columns_of_switches(spec)) if metric in metrics_of(spec) else ()
        ),
    )


@dataclass(frozen=True)
class _Words:
    """What `vector_kind` was told."""

    metric: str
    names: Names
    legend: Names
    level: Level | None


@dataclass(frozen=True, eq=False)
class _Vectors:
    """One such picture."""

    words: _Words
    scene: Scene

    @property
    def metric(self) -> str:
        """The metric that is drawn."""
        return self.words.metric

    def picture(self) -> Picture:
        runs, paths = self.scene.runs, self._paths()
        sorts: dict[str, list[DrawnRun]] = {}
        for run, label in zip(runs, labels_of([run.leaves for run in runs], paths), strict=True):
            sorts.setdefault(label, []).append(run)
        titles = list(sorts)[:MOST_PANELS]
        drawn = [run for title in titles for run in sorts[title]]
        abscissa = str(self.scene.ask.x)
        x = abscissa_axis(abscissa, self.scene.ask.x_scale, [run.spec for run in drawn])
        x = suited(x, *(run.columns[abscissa] for run in drawn))
        y = suited(axis_of(self.metric), *(run.columns[self.metric] for run in drawn))
        lines = sum(run.columns[self.metric].shape[1] for run in drawn)
        most = self.scene.most_points // max(1, lines)
        return Picture(
            f"{metric_label(self.metric)} against {x.label}",
            tuple(Panel(x, y, tuple(self._lines(sorts[title], x, y, most)), title) for title in titles),
            note=f"{len(titles)} of {len(sorts)} panels are drawn." if len(titles) < len(sorts) else "",
        )

    def _paths(self) -> list[str]:
        """As many of the fields that vary as there are panels for; runs that differ in nothing else share one."""
        specs = [run.leaves for run in self.scene.runs]
        paths = varying_paths(specs, self.scene.order) or ["seed"] * (len(specs) > 1)
        while len(paths) > 1 and len(set(labels_of(specs, paths))) > MOST_PANELS:
            paths.pop()
        return paths

    def _lines(self, runs: Sequence[DrawnRun], x: Axis, y: Axis, most: int) -> list[Line]:
        lines = [line for run in runs for line in self._components(run, x, y, most)]
        return [*lines, *self._levels(runs, x), *switches(runs, str(self.scene.ask.x), lines)]

    def _levels(self, runs: Sequence[DrawnRun], x: Axis) -> list[Line]:
        """A dashed line for each value that runs are held against, along all that is drawn of them."""
        reached: dict[tuple[str, float], list[Array]] = {}
        if (level_of := self.words.level) is None:
            return []
        for run in runs:
            at = run.columns[str(self.scene.ask.x)].astype(np.float64)
            at = at[np.isfinite(at) & ((at > 0) | (x.scale == "linear"))]
            if (level := level_of(run.spec)) is not None and len(at):
                reached.setdefault(level, []).append(np.array([at.min(), at.max()]))
        return [
            Line(_ends(parts), np.full(2, value), "ink", name, f"{name}, {value:g}", "dash", 1.0)
            for (name, value), parts in reached.items()
        ]

    def _components(self, run: DrawnRun, x: Axis, y: Axis, most: int) -> list[Line]:
        vectors = shown(self.metric, run.columns[self.metric])
        at, kept = drawable(run.columns[str(self.scene.ask.x)], vectors, x, y, most)
        names, legend = (words(run.spec, kept.shape[1]) for words in (self.words.names, self.words.legend))
        entries = list(dict.fromkeys(legend))
        shown_names = set(entries[:_MOST_NAMES])
        return [
            Line(
                at,
                values,
                _color(entries.index(entry), len(entries)),
                entry if entry in shown_names else "",
                f"{name}, {run.about(())}",
            )
            for values, name, entry in zip(kept.T, names, legend, strict=False)  # a run without points has no columns
        ]


def _ends(parts: Sequence[Array]) -> Array:
    return np.array([np.min(parts), np.max(parts)])


def _color(index: int, count: int) -> Color:
    return index if count <= _MOST_HUES else Shade(index / (count - 1))
