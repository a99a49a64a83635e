"""Error and rank against the number of observations, medians with quartiles, beside the linear baseline and the target.

The figures of tensor completion in the response to the reviews of Razin and Cohen 2020.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.figures.kinds.base import DrawnRun, Kind, Scene
from service.figures.kinds.quartiles import median_and_band
from service.figures.metric_axes import axis_of
from service.figures.picture import MARKERS, Axis, Dash, Marker, Panel, Picture, Series
from service.values.labels import model_label, start_labels
from workers.runs.metrics import metrics_of
from workers.runs.spec import RunSpec

_ERROR, _RANK, _EFFECTIVE_RANK = "reconstruction_error", "rank", "effective_rank"
_REFERENCES: tuple[tuple[str, str, str, Marker | None, Dash], ...] = (
    ("linear", "linear_reconstruction_error", "linear_rank", "cross", "dash"),
    ("target", "", "target_rank", None, "dot"),
)
"""What stands beside the runs: its name, its error and its rank in their summaries, and how it looks."""
_READ = (_ERROR, _RANK, _EFFECTIVE_RANK, *(name for reference in _REFERENCES for name in reference[1:3] if name))


def _applies(spec: RunSpec) -> bool:
    return _ERROR in metrics_of(spec)


def _varies(specs: Sequence[RunSpec]) -> bool:
    return len({spec.problem.observation_count for spec in specs}) > 1


def _picture(scene: Scene) -> Picture:
    groups = _groups(scene.runs)
    ranked = any(run.row[_RANK] is not None for run in scene.runs)
    measured = _RANK if ranked else _EFFECTIVE_RANK
    errors: list[Series] = []
    ranks: list[Series] = []
    for color, (name, runs) in enumerate(groups.items()):
        marker = MARKERS[color % len(MARKERS)]
        errors += _quartiles(runs, _ERROR, color, name, marker)
        ranks += _quartiles(runs, measured, color, name, marker)
    for color, (name, error, rank, marker, dash) in enumerate(_REFERENCES, start=len(groups)):
        errors += _quartiles(scene.runs, error, color, name, marker, dash)
        ranks += _quartiles(scene.runs, rank, color, name, marker, dash) if ranked else ()
    observed, label = Axis("observations"), "numerical rank (estimate)" if ranked else "effective rank"
    panels = (
        Panel(observed, axis_of(_ERROR), tuple(errors)),
        Panel(observed, replace(axis_of(measured), label=label), tuple(ranks)),
    )
    return Picture("reconstruction error and rank against observations", panels)


def _groups(runs: Sequence[DrawnRun]) -> dict[str, list[DrawnRun]]:
    """Runs by their model where there are several, else by their start."""
    models = {model_label(run.resolved) for run in runs}
    groups: dict[str, list[DrawnRun]] = {}
    for run, start in zip(runs, start_labels([run.resolved for run in runs]), strict=True):
        name = model_label(run.resolved) if len(models) > 1 else f"start {start}"
        groups.setdefault(name, []).append(run)
    return dict(sorted(groups.items()))


def _quartiles(
    runs: Sequence[DrawnRun], column: str, color: int, name: str, marker: Marker | None, dash: Dash = "solid"
) -> tuple[Series, ...]:
    """A summary's column over the numbers of observations; nothing where no run measured it."""
    if not column:
        return ()
    sizes = sorted({run.row["observed"] for run in runs})
    samples = [[run.row[column] for run in runs if run.row["observed"] == size] for size in sizes]
    return median_and_band(
        np.array(sizes), [np.array(sample, dtype=float) for sample in samples], color, name, marker, dash
    )


KIND = Kind(
    name="observations",
    title="Error and rank against observations",
    about="Reconstruction error and rank of finished runs against the number of observations, medians with quartiles, "
    "beside the linear baseline and the target.",
    needs="runs with a known target",
    applies=_applies,
    picture=_picture,
    summary=lambda _ask: _READ,
    is_telling=_varies,
    reads_points=False,
)
