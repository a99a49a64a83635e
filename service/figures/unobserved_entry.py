"""|Unobserved entry| against loss, one panel per depth, coloured by steps: Figure 1 of Razin and Cohen 2020."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workers.theory.bounds import unobserved_entry_at_least
from workers.theory.settings import Setting

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_LEGEND_ENTRIES = 8
MARKED_POINTS = 12
MOST_BOUNDS = 5
"""Settings in one panel of which theory's bound is drawn; more would hide the runs."""
BOUND_LINE: dict[str, Any] = {"color": "0.15", "linewidth": 1.0, "linestyle": "--"}
SIGN_COLOUR, CHANGED, UNDECIDED = "tab:red", "x", "+"


@dataclass(frozen=True)
class Curve:
    """One run's trajectory.

    Attributes:
        panel: which panel it belongs to: a number to order panels by, and a title.
        label: runs with the same label share a marker.
        step, loss, entry: (points,).
        setting: the setting that theory sees in it, None where it sees none.
        loss_scale: its loss over half the sum of squared residuals.
        changed_at: the step at which its determinant changed sign, None where it did not.
        undecided_from: the step from which on that sign is below rounding, None where it never was.
    """

    panel: tuple[int, str]
    label: str
    step: npt.NDArray[Any]
    loss: npt.NDArray[Any]
    entry: npt.NDArray[Any]
    setting: Setting | None = None
    loss_scale: float = 1.0
    changed_at: int | None = None
    undecided_from: int | None = None


def draw_unobserved_entry(curves: Sequence[Curve]) -> bytes:
    """The figure as PNG."""
    titles = sorted({curve.panel for curve in curves})
    labels = sorted({curve.label for curve in curves})
    norm = LogNorm(1, max(2.0, max(float(curve.step[-1]) for curve in curves)))
    figure = Figure(figsize=(1.2 + 4.2 * len(titles), 4.2), layout="constrained", dpi=150)
    panels = figure.subplots(1, len(titles), squeeze=False)[0]
    for panel, title in zip(panels, titles, strict=True):
        drawn = [curve for curve in curves if curve.panel == title]
        for curve in drawn:
            _draw_curve(panel, curve, _MARKERS[labels.index(curve.label) % len(_MARKERS)], norm)
        _draw_bounds(panel, drawn)
        _finish_panel(panel, title[1], max(float(np.nanmax(np.abs(curve.entry))) for curve in drawn))
    panels[0].set_ylabel("|unobserved entry|")
    _explain_theory(figure, curves)
    if len(labels) <= MOST_LEGEND_ENTRIES:
        _add_legend(panels[-1], labels)
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=list(panels), label="steps")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_curve(panel: Axes, curve: Curve, marker: str, norm: LogNorm) -> None:
    size, colour = np.abs(curve.entry), colormaps["viridis"](norm(np.maximum(curve.step, 1)))
    marked = np.unique(np.linspace(0, len(size) - 1, MARKED_POINTS).astype(int))
    panel.plot(curve.loss, size, color="0.8", linewidth=0.8, zorder=1)
    panel.scatter(curve.loss, size, s=2, c=colour, zorder=2)
    panel.scatter(
        curve.loss[marked],
        size[marked],
        s=22,
        c=colour[marked],
        marker=marker,
        linewidths=0.4,
        edgecolors="0.2",
        zorder=3,
    )
    _draw_signs(panel, curve)


def _draw_signs(panel: Axes, curve: Curve) -> None:
    """A cross where the determinant changed sign, a plus where its sign went below rounding."""
    for step, marker in ((curve.changed_at, CHANGED), (curve.undecided_from, UNDECIDED)):
        here = curve.step == step
        panel.scatter(curve.loss[here], np.abs(curve.entry[here]), s=30, marker=marker, color=SIGN_COLOUR, zorder=5)


def _draw_bounds(panel: Axes, curves: Sequence[Curve]) -> None:
    """Theory's bound for each setting of a panel, over the losses of its runs; none where a run has no theory."""
    settings = {(curve.setting, curve.loss_scale) for curve in curves}
    if len(settings) <= MOST_BOUNDS and all(setting is not None for setting, _ in settings):
        for setting, scale in settings:
            losses = [curve.loss for curve in curves if (curve.setting, curve.loss_scale) == (setting, scale)]
            _draw_bound(panel, setting, scale, np.concatenate(losses))


def _draw_bound(panel: Axes, setting: Setting | None, scale: float, losses: npt.NDArray[Any]) -> None:
    losses = losses[np.isfinite(losses) & (losses > 0)]
    if setting is None or not len(losses):
        return
    loss = np.geomspace(losses.min(), losses.max(), 400)
    bound = unobserved_entry_at_least(setting, loss / scale)
    said = bound > 0
    panel.plot(loss[said], bound[said], **BOUND_LINE, zorder=4)


def _finish_panel(panel: Axes, title: str, largest: float) -> None:
    """Axes as in the paper; as high as the runs went, however far above them the bound may be."""
    panel.set_title(title)
    if largest > 0:
        panel.set_ylim(-0.05 * largest, 1.1 * largest)
    panel.set_xlabel("loss")
    panel.set_xscale("log")
    panel.invert_xaxis()
    panel.grid(alpha=0.25)


def _explain_theory(figure: Figure, curves: Sequence[Curve]) -> None:
    """A legend of what theory put into the figure, below its panels."""
    handles: list[Line2D] = []
    if any(curve.setting is not None for curve in curves):
        handles.append(Line2D([], [], **BOUND_LINE, label="theory's bound"))
    if any(curve.changed_at is not None for curve in curves):
        handles.append(_mark(CHANGED, "determinant changes sign"))
    if any(curve.undecided_from is not None for curve in curves):
        handles.append(_mark(UNDECIDED, "determinant's sign below rounding"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="small", frameon=False)


def _mark(marker: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker=marker, color=SIGN_COLOUR, label=label)


def _add_legend(panel: Axes, labels: Sequence[str]) -> None:
    for label, marker in zip(labels, _MARKERS, strict=False):
        panel.scatter([], [], s=22, marker=marker, color="0.5", edgecolors="0.2", linewidths=0.4, label=label)
    panel.legend(title="start", fontsize="small", loc="upper left")
