"""Metrics: which there are, and which a run has. `catalogue` has the facts of each; the lists here follow from it."""

from collections.abc import Iterable

from workers.runs.metrics.catalogue import CATALOGUE
from workers.runs.metrics.metric import ColumnKind, Measured, Metric, View, free

__all__ = ["BY_NAME", "CATALOGUE", "METRICS", "ColumnKind", "Measured", "Metric", "View"]

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}

METRICS: dict[str, ColumnKind] = {metric.name: metric.type for metric in CATALOGUE if metric.of_points}
"""Types of the metrics that a point can carry."""

SUMMARY_METRICS: dict[str, ColumnKind] = {metric.name: metric.type for metric in CATALOGUE if not metric.of_points}
"""Types of what a summary holds beyond a point's metrics, measured once when a run is over."""

TRAJECTORY_COLUMNS: dict[str, ColumnKind] = {"step": "integer", "time": "float", **METRICS}

ON_REQUEST: tuple[str, ...] = tuple(metric.name for metric in CATALOGUE if metric.on_request)
"""Names that `record.metrics` may hold."""

_COSTLY = tuple(metric for metric in CATALOGUE if not metric.gradients is metric.multiply_adds is free)


def metrics_of(spec: Measured) -> tuple[str, ...]:
    """Names of the metrics that a run's points have, in the order of METRICS; some may lack in some of its phases."""
    return _applying(METRICS, spec)


def summary_metrics_of(spec: Measured) -> tuple[str, ...]:
    """Names of the SUMMARY_METRICS that a run has."""
    return _applying(SUMMARY_METRICS, spec)


def _applying(names: Iterable[str], spec: Measured) -> tuple[str, ...]:
    """The metrics that apply to a run, or to a later phase of it."""
    parts = (spec, *spec.phase_specs[1:])
    return tuple(name for name in names if any(map(BY_NAME[name].applies, parts)))


def shown_in(view: View) -> tuple[str, ...]:
    """Names of the metrics that a view shows, in its order."""
    shown = [metric for metric in CATALOGUE if view in metric.shown]
    return tuple(metric.name for metric in sorted(shown, key=lambda metric: metric.shown[view]))


def metric_misfit(spec: Measured) -> str | None:
    """Why a run must not ask for a metric that it asks for, as one sentence; None where it may ask for all.

    A run with phases may ask for what any of them may.
    """
    parts = spec.phase_specs
    for name in (name for name in ON_REQUEST if name in spec.record.metrics):
        reasons = [BY_NAME[name].misfit(part) for part in parts]
        if None not in reasons:
            return reasons[0]
    return None


def gradients_per_point(spec: Measured) -> int:
    """Evaluations of the gradient that the metrics of a run cost at each recorded point."""
    return sum(metric.gradients(spec) for metric in _COSTLY if metric.applies(spec))


def multiply_adds_per_point(spec: Measured) -> int:
    """Multiply-adds that the metrics of a run cost at each recorded point beside evaluations of the gradient."""
    return sum(metric.multiply_adds(spec) for metric in _COSTLY if metric.applies(spec))
