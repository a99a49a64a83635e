"""The axes of metrics: what each is called, and whether it is read on a logarithmic scale."""

from collections.abc import Sequence

import numpy as np

from service.figures.picture import Array, Axis, Scale
from workers.runs.spec import RunSpec

ABSCISSAS = ("step", "time", "loss")
"""What a trajectory can be drawn against."""

_LABELS = {
    "step": "steps",
    "unobserved_entry": "|unobserved entry|",
    "frobenius_norm": "Frobenius norm",
    "schatten_quasi_norm": "Schatten quasi-norm",
    "log_abs_determinant": "ln |determinant|",
    "determinant_sign": "sign of the determinant",
    "rank": "rank (estimate)",
    "target_rank": "rank of the target (estimate)",
    "linear_rank": "rank of the linear baseline (estimate)",
}
_LOGARITHMIC = (
    "loss",
    "distance_to_infimal_rank",
    "balancedness_gap",
    "gradient_norm",
    "reconstruction_error",
    "linear_reconstruction_error",
    "singular_values",
)
_WHOLE = ("determinant_sign", "numerical_rank", "matricisation_ranks", "rank", "target_rank", "linear_rank")
_SIZES = ("unobserved_entry",)
"""Metrics of which the size is drawn: theory speaks of it, whatever the sign."""


def label_of(metric: str) -> str:
    """A metric or abscissa in words."""
    return _LABELS.get(metric, metric.replace("_", " "))


def axis_of(metric: str) -> Axis:
    """The axis that a metric is read on."""
    return Axis(label_of(metric), "log" if metric in _LOGARITHMIC else "linear", whole=metric in _WHOLE)


def abscissa_axis(x: str, scale: Scale | None, specs: Sequence[RunSpec]) -> Axis:
    """The axis of steps, time or loss: a loss falls on a logarithmic one, the others are as the runs were recorded."""
    log_spaced = any(spec.record.points_per_decade is not None for spec in specs)
    return Axis(label_of(x), scale or ("log" if x == "loss" or log_spaced else "linear"), falling=x == "loss")


def shown(metric: str, values: Array) -> Array:
    """A metric's values as they are drawn."""
    return np.abs(values) if metric in _SIZES else values
