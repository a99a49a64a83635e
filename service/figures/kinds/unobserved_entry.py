"""|Unobserved entry| against loss, one panel per depth, coloured by steps: Figure 1 of Razin and Cohen 2020."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.figures.fitting import suited
from service.figures.kinds.base import Ask, DrawnRun, Kind, Scene
from service.figures.kinds.theory_lines import theory_lines
from service.figures.metric_axes import abscissa_axis, axis_of, shown
from service.figures.picture import MARKERS, Array, Axis, ColorScale, Line, Marker, Marks, Panel, Picture, Scale
from service.figures.thinning import drawable
from service.values.labels import model_label, start_labels
from workers.runs.observations import unobserved_index
from workers.runs.spec import RunSpec
from workers.runs.theory.settings import recognised_in
from workers.runs.theory.verdicts import columns_needed, judge

_MARKED_POINTS = 6
_ENTRY, _CHANGED_AT = "unobserved_entry", "determinant_sign_changed_at"
_READ = ("step", "loss", _ENTRY)


@dataclass(frozen=True)
class _Look:
    """How a run is marked; the legend tells the starts apart where they are few."""

    start: str
    marker: Marker
    is_told: bool


def _applies(spec: RunSpec) -> bool:
    return unobserved_index(spec.problem) is not None


def _columns(spec: RunSpec, _ask: Ask) -> tuple[str, ...]:
    if not _applies(spec):
        return ()
    needed = () if isinstance(recognised_in(spec), str) else columns_needed(spec)
    return tuple(dict.fromkeys((*_READ, *needed)))


def _picture(scene: Scene) -> Picture:
    depths = sorted({_panel_of(run) for run in scene.runs})
    labels = start_labels([run.resolved for run in scene.runs])
    starts = sorted(set(labels))
    tells = len(starts) <= len(MARKERS)
    looks = {
        run.id: _Look(start, MARKERS[starts.index(start)] if tells else "circle", tells)
        for run, start in zip(scene.runs, labels, strict=True)
    }
    last = max(float(run.columns["step"].max(initial=1)) for run in scene.runs)
    most = max(1, scene.most_points // (2 * len(scene.runs)))
    panels = [
        _panel(title, [run for run in scene.runs if _panel_of(run) == (number, title)], looks, most)
        for number, title in depths
    ]
    return Picture(
        "|unobserved entry| against loss",
        tuple(panels),
        color_scale=ColorScale("steps", 1, max(2.0, last), "log"),
        legend_title="marker: start" if tells else "",
    )


def _panel_of(run: DrawnRun) -> tuple[int, str]:
    return run.resolved["model"].get("depth", 0), model_label(run.resolved)


def _panel(title: str, runs: Sequence[DrawnRun], looks: Mapping[str, _Look], most: int) -> Panel:
    x = suited(abscissa_axis("loss", None, []), *(run.columns["loss"] for run in runs))
    y = axis_of(_ENTRY)
    lines: list[Line] = []
    dots: list[Marks] = []
    for run in runs:
        line, *marks = _trajectory(run, x, y, looks[run.id], most)
        lines.append(line)
        dots += marks
    dots.sort(key=lambda marks: marks.outlined)
    highest = max((float(np.nanmax(line.y)) for line in lines if np.isfinite(line.y).any()), default=0.0)
    limits = (-0.05 * highest, 1.1 * highest) if highest > 0 else None
    signs = [marks for run in runs for marks in _signs(run)]
    return Panel(x, Axis(y.label, limits=limits), (*lines, *dots, *theory_lines(runs, _ENTRY), *signs), title)


def _trajectory(run: DrawnRun, x: Axis, y: Axis, look: _Look, most: int) -> tuple[Line, Marks, Marks]:
    """A faint line, its points coloured by step, and a few of them marked by the start."""
    loss, entry, step = run.columns["loss"], shown(_ENTRY, run.columns[_ENTRY]), run.columns["step"]
    both = np.column_stack([entry, np.maximum(step, 1)])
    kept_loss, kept_both = drawable(loss, both, x, y, most)
    size, steps = kept_both.T
    about = f"{run.about(())}, start {look.start}"
    marked = _evenly(kept_loss, x.scale)
    name = look.start if look.is_told else ""
    return (
        Line(kept_loss, size, "faint", about=about, width=0.8),
        Marks(kept_loss, size, steps, about=about, size=1.7),
        Marks(kept_loss[marked], size[marked], steps[marked], "ink", name, about, look.marker, 4.2, outlined=True),
    )


def _evenly(loss: Array, scale: Scale) -> Array:
    """Positions of a few points, evenly spaced along the axis of the loss, the last one always."""
    if not len(loss):
        return np.empty(0, dtype=np.int64)
    position = loss / 2 if scale == "linear" else np.log(loss[0]) - np.log(loss)
    wanted = np.linspace(position.min(), position.max(), _MARKED_POINTS)
    return np.unique([*(np.abs(position - target).argmin() for target in wanted), len(loss) - 1])


def _signs(run: DrawnRun) -> Iterator[Marks]:
    """A cross where the determinant changed sign, a plus where its sign went below rounding.

    After a sign below rounding no change of it is marked.
    """
    verdict = judge(run.spec, run.columns, run.row[_CHANGED_AT]) if _has_theory(run) else ""
    undecided_from = None if isinstance(verdict, str) else verdict.undecided_from
    changed_at = run.row[_CHANGED_AT] if undecided_from is None else None
    marks: tuple[tuple[int | None, str, Marker], ...] = (
        (changed_at, "determinant changes sign", "cross"),
        (undecided_from, "determinant's sign below rounding", "plus"),
    )
    for step, name, marker in marks:
        here = run.columns["step"] == step
        if here.any():
            size = shown(_ENTRY, run.columns[_ENTRY][here])
            yield Marks(run.columns["loss"][here], size, color="alarm", name=name, about=name, marker=marker, size=5)


def _has_theory(run: DrawnRun) -> bool:
    return not run.spec.phases and not isinstance(recognised_in(run.spec), str)


KIND = Kind(
    name=_ENTRY,
    title="Unobserved entry against loss",
    about="|unobserved entry| against loss, one panel per depth, coloured by steps, with theory's bound dashed and "
    "marks where a determinant changed sign or its sign was lost to rounding.",
    needs="runs of problems with exactly one unobserved entry",
    applies=_applies,
    picture=_picture,
    columns=_columns,
    summary=lambda _ask: (_CHANGED_AT,),
    is_telling=lambda specs: all(map(_applies, specs)),  # a sweep over observations may end with one unobserved
)
