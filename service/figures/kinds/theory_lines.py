"""What theory says of a metric at each loss, as dashed lines."""

from collections.abc import Callable, Sequence

import numpy as np

from service.figures.extents import evenly
from service.figures.kinds.base import DrawnRun
from service.figures.picture import Array, Line
from workers.runs.losses import loss_weight
from workers.runs.metrics import BY_NAME
from workers.runs.metrics.metric import Bound
from workers.runs.theory.bounds import (
    distance_to_infimal_rank_at_most,
    effective_rank_at_most,
    unobserved_entry_at_least,
)
from workers.runs.theory.settings import Setting, recognised_in

MOST_SETTINGS = 5
"""Settings in one panel of which the bound is drawn; more would hide the runs."""
_POINTS = 300
_BOUNDS: dict[Bound | None, Callable[[Setting, Array], Array | None]] = {
    "unobserved_entry": unobserved_entry_at_least,
    "effective_rank": effective_rank_at_most,
    "distance_to_infimal_rank": distance_to_infimal_rank_at_most,
}
"""The catalogue of metrics says which metric is held against which bound: no norm is below the size of an entry."""


def theory_lines(runs: Sequence[DrawnRun], metric: str) -> list[Line]:
    """The bound for each setting among runs that have a column `loss`; none where a run has no theory."""
    settings = {setting_of(run) for run in runs}
    if BY_NAME[metric].bound is None or None in settings or len(settings) > MOST_SETTINGS:
        return []
    lines = [_line(known, runs, metric) for known in sorted(filter(None, settings), key=repr)]
    return [line for line in lines if line is not None]


def setting_of(run: DrawnRun) -> tuple[Setting, float] | None:
    """The setting that theory sees in a run, and its loss over half the sum of squared residuals; none with phases."""
    recognised = recognised_in(run.spec)
    return None if run.spec.phases or isinstance(recognised, str) else (recognised.setting, loss_weight(run.spec))


def _line(known: tuple[Setting, float], runs: Sequence[DrawnRun], metric: str) -> Line | None:
    losses = np.concatenate([run.columns["loss"] for run in runs if setting_of(run) == known])
    losses = losses[np.isfinite(losses) & (losses > 0)]
    if not len(losses):
        return None
    setting, scale = known
    loss = evenly(float(losses.min()), float(losses.max()), _POINTS, "log")
    with np.errstate(over="ignore", invalid="ignore"):
        bound = _BOUNDS[BY_NAME[metric].bound](setting, loss / scale)
    if bound is None:
        return None
    said = bound > 0
    return Line(loss[said], bound[said], "ink", name="theory's bound", about="theory's bound", dash="dash", width=1.0)
