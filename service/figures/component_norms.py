"""Norms of the largest components against steps, one panel per run (Razin and Cohen 2020)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure

MOST_PANELS = 6


@dataclass(frozen=True)
class ComponentCurves:
    """One run's trajectory.

    Attributes:
        title: the panel's title.
        step: (points,).
        norms: (points, components), largest first.
    """

    title: str
    step: npt.NDArray[Any]
    norms: npt.NDArray[Any]


def draw_component_norms(runs: Sequence[ComponentCurves]) -> bytes:
    """The figure as PNG, one panel for each of the first MOST_PANELS runs."""
    shown = runs[:MOST_PANELS]
    figure = Figure(figsize=(1 + 4.2 * len(shown), 4), layout="constrained", dpi=150)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for panel, run in zip(panels, shown, strict=True):
        for component in range(run.norms.shape[1]):
            colour = colormaps["viridis"](component / max(1, run.norms.shape[1]))
            panel.plot(run.step, run.norms[:, component], color=colour, linewidth=1.2)
        panel.set_title(run.title)
        panel.set_xlabel("steps")
        panel.set_xscale("symlog", linthresh=10)
        panel.set_xlim(left=0)
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("norms of the largest components")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
