"""Error and rank against the number of observations, medians with quartiles, beside the linear baseline and the target.

The figures of tensor completion in the response to the reviews of Razin and Cohen 2020.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_MARKERS = ("o", "s", "^", "D", "v", "P")
QUARTILES = (25, 50, 75)


@dataclass(frozen=True)
class ObservedRun:
    """How one finished run came out; NaN where something was not measured.

    Attributes:
        observed: how many entries were observed.
        label: runs with the same label are repetitions of each other.
        error, rank: of the run's product.
        linear_error, linear_rank: of the observed entries with zeros elsewhere.
        target_rank: of the target.
    """

    observed: int
    label: str
    error: float
    rank: float
    linear_error: float
    linear_rank: float
    target_rank: float


def draw_observations(runs: Sequence[ObservedRun]) -> bytes:
    """The figure as PNG."""
    figure = Figure(figsize=(10, 4.2), layout="constrained", dpi=150)
    errors, ranks = figure.subplots(1, 2)
    for label, marker in zip(sorted({run.label for run in runs}), np.resize(_MARKERS, len(runs)), strict=False):
        own = [run for run in runs if run.label == label]
        _draw(errors, [(run.observed, run.error) for run in own], f"start {label}", str(marker))
        _draw(ranks, [(run.observed, run.rank) for run in own], f"start {label}", str(marker))
    _draw(errors, [(run.observed, run.linear_error) for run in runs], "linear", "x")
    _draw(ranks, [(run.observed, run.linear_rank) for run in runs], "linear", "x")
    _draw(ranks, [(run.observed, run.target_rank) for run in runs], "target", "_")
    errors.set_yscale("log")
    errors.set_ylabel("reconstruction error")
    ranks.set_ylabel("numerical rank (estimate)")
    ranks.yaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in (errors, ranks):
        panel.set_xlabel("observations")
        panel.grid(alpha=0.25)
    ranks.legend(fontsize="small")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw(panel: Axes, points: Sequence[tuple[int, float]], label: str, marker: str) -> None:
    """The median of each number of observations as a line, the quartiles as a band."""
    known = [(observed, value) for observed, value in points if np.isfinite(value)]
    if not known:
        return
    sizes = sorted({observed for observed, _ in known})
    spread = [np.percentile([value for observed, value in known if observed == size], QUARTILES) for size in sizes]
    low, middle, high = np.array(spread).T
    (line,) = panel.plot(sizes, middle, marker=marker, markersize=4, label=label)
    panel.fill_between(sizes, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
