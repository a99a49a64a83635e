"""Where phases of runs end, as vertical lines."""

from collections.abc import Sequence

import numpy as np

from service.figures.kinds.base import DrawnRun
from service.figures.picture import Array, Line
from workers.runs.spec import RunSpec

MOST_SWITCHES = 8
"""Positions in one panel at which lines are drawn; more would hide the runs."""


def columns_of_switches(spec: RunSpec) -> tuple[str, ...]:
    """The column that says where phases end; none of a run without phases."""
    return ("phase",) if spec.phases else ()


def switches(runs: Sequence[DrawnRun], abscissa: str, lines: Sequence[Line]) -> list[Line]:
    """A dotted line at the last point of each phase but the last, as high as the lines of a panel reach.

    None against the loss, which is another one in another phase, and none where phases end at too many positions.
    """
    phases = [(run.columns[abscissa], run.columns["phase"]) for run in runs if "phase" in run.columns]
    heights = np.concatenate([line.y for line in lines] or [np.empty(0)])
    heights = heights[np.isfinite(heights)]
    if abscissa == "loss" or not phases or not len(heights):
        return []
    ends = np.unique(np.concatenate([_ends(*columns) for columns in phases]))
    if len(ends) > MOST_SWITCHES:
        return []
    reach = np.array([heights.min(), heights.max()])
    return [
        Line(np.full(2, end), reach, "ink", "next phase begins", f"a phase ends at {abscissa} {end:g}", "dot", 1.0)
        for end in ends
    ]


def _ends(at: Array, phase: Array) -> Array:
    """The last position of each phase that another one follows."""
    known = np.isfinite(phase) & np.isfinite(at)
    at, phase = at[known].astype(float), phase[known]
    return at[:-1][np.diff(phase) > 0]
