"""Distance of descent to the gradient flow at equal time against learning rate, one panel per model.

Gradient descent is Euler's method on the flow: its distance falls in proportion to the learning rate, the guide line.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_RATES_NAMED, GUIDE_BELOW = 8, 0.7
GUIDE_LINE: dict[str, Any] = {"color": "0.15", "linewidth": 1.0, "linestyle": "--"}


@dataclass(frozen=True)
class DescentDistance:
    """How far one descent is from the flow that it follows.

    Attributes:
        panel: which panel it belongs to: a number to order panels by, and a title.
        label: runs with the same label follow flows from starts of one kind.
        learning_rate: of the descent.
        distance: to the flow at equal time.
    """

    panel: tuple[int, str]
    label: str
    learning_rate: float
    distance: float


def draw_convergence(descents: Sequence[DescentDistance], measure: str) -> bytes:
    """The figure as PNG; `measure` says what the distance is."""
    titles = sorted({one.panel for one in descents})
    figure = Figure(figsize=(1.2 + 4.2 * len(titles), 4.2), layout="constrained", dpi=150)
    panels = figure.subplots(1, len(titles), squeeze=False, sharey=True)[0]
    labels = sorted({one.label for one in descents})
    for panel, title in zip(panels, titles, strict=True):
        _draw_panel(panel, title[1], [one for one in descents if one.panel == title], labels)
    panels[0].set_ylabel(f"distance to the flow at equal time\n({measure})")
    panels[-1].legend(title="start", fontsize="small", loc="upper left")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_panel(panel: Axes, title: str, descents: Sequence[DescentDistance], labels: Sequence[str]) -> None:
    for position, label in enumerate(labels):
        own = [one for one in descents if one.label == label]
        rates = sorted({one.learning_rate for one in own})
        medians = [np.median([one.distance for one in own if one.learning_rate == rate]) for rate in rates]
        panel.plot(rates, medians, marker=_MARKERS[position % len(_MARKERS)], markersize=4, linewidth=1, label=label)
    _draw_guide(panel, descents)
    panel.set_xscale("log")
    panel.set_yscale("log")
    _mark_rates(panel, sorted({one.learning_rate for one in descents}))
    panel.set_title(title)
    panel.set_xlabel("learning rate")
    panel.grid(alpha=0.25)


def _mark_rates(panel: Axes, rates: Sequence[float]) -> None:
    """Ticks at the learning rates themselves, where they are few; the usual ones are powers of ten."""
    if len(rates) <= MOST_RATES_NAMED:
        panel.set_xticks(list(rates), [f"{rate:g}" for rate in rates])
        panel.minorticks_off()


def _draw_guide(panel: Axes, descents: Sequence[DescentDistance]) -> None:
    """A line of slope one, a little below all points."""
    rates = np.array([one.learning_rate for one in descents])
    slope = GUIDE_BELOW * min(one.distance / one.learning_rate for one in descents)
    ends = np.array([rates.min(), rates.max()])
    panel.plot(ends, slope * ends, **GUIDE_LINE, label="first order")
