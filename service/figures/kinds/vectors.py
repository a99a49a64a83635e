"""Vector metrics along the way: a panel for each sort of run, a colour for each component."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.figures.fitting import suited
from service.figures.kinds.base import DrawnRun, Kind, Scene
from service.figures.kinds.choices import check_abscissa
from service.figures.metric_axes import abscissa_axis, axis_of, shown
from service.figures.metric_axes import label_of as metric_label
from service.figures.picture import Axis, Color, Line, Panel, Picture, Shade
from service.figures.thinning import drawable
from service.figures.variation import labels_of, varying_paths
from workers.runs.metrics import metrics_of

MOST_PANELS = 6
_MOST_HUES = 4
"""Components that get a colour of the palette each; more are told apart by shades of one scale."""
_MOST_NAMES = 10


def vector_kind(metric: str, component: str, title: str, about: str, needs: str) -> Kind:
    """The kind that draws a vector metric, one of whose components is called `component`."""
    return Kind(
        name=metric,
        title=title,
        about=about,
        needs=needs,
        applies=lambda spec: metric in metrics_of(spec),
        picture=lambda scene: _Vectors(metric, component, scene).picture(),
        takes=("x", "x_scale"),
        settle=lambda ask, _specs: replace(ask, x=check_abscissa(ask.x or "step")),
        columns=lambda spec, ask: (str(ask.x), metric) if metric in metrics_of(spec) else (),
    )


@dataclass(frozen=True, eq=False)
class _Vectors:
    """One such picture."""

    metric: str
    component: str
    scene: Scene

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
        return [line for run in runs for line in self._components(run, x, y, most)]

    def _components(self, run: DrawnRun, x: Axis, y: Axis, most: int) -> list[Line]:
        vectors = shown(self.metric, run.columns[self.metric])
        at, kept = drawable(run.columns[str(self.scene.ask.x)], vectors, x, y, most)
        names = [f"{self.component} {number}" for number in range(1, kept.shape[1] + 1)]
        return [
            Line(at, values, _color(index, len(names)), name if index < _MOST_NAMES else "", f"{name}, {run.about(())}")
            for index, (values, name) in enumerate(zip(kept.T, names, strict=True))
        ]


def _color(index: int, count: int) -> Color:
    return index if count <= _MOST_HUES else Shade(index / (count - 1))
