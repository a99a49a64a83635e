"""The axes of metrics, as the catalogue of metrics describes them, and those of steps, time and loss."""

from collections.abc import Sequence

import numpy as np

from service.figures.picture import Array, Axis, Scale
from workers.runs.metrics import BY_NAME
from workers.runs.spec import RunSpec

ABSCISSAS = ("step", "time", "loss")
"""What a trajectory can be drawn against."""

_ABSCISSA_LABELS = {"step": "steps", "time": "time"}


def label_of(metric: str) -> str:
    """A metric or abscissa in words."""
    if metric in BY_NAME:
        return BY_NAME[metric].label
    return _ABSCISSA_LABELS.get(metric, metric.replace("_", " "))


def axis_of(metric: str) -> Axis:
    """The axis that a metric is read on."""
    axis = BY_NAME[metric].axis
    return Axis(label_of(metric), axis.scale, whole=axis.is_whole)


def abscissa_axis(x: str, scale: Scale | None, specs: Sequence[RunSpec]) -> Axis:
    """The axis of steps, time or loss: a loss falls on a logarithmic one, the others are as the runs were recorded."""
    log_spaced = any(spec.record.points_per_decade is not None for spec in specs)
    return Axis(label_of(x), scale or ("log" if x == "loss" or log_spaced else "linear"), falling=x == "loss")


def shown(metric: str, values: Array) -> Array:
    """A metric's values as they are drawn: their sizes where theory speaks of the size."""
    return np.abs(values) if metric in BY_NAME and BY_NAME[metric].axis.is_size else values
