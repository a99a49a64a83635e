"""Metrics that pages offer to choose from, as the catalogue has them: a new one is there by its entry."""

from collections.abc import Iterable, Mapping
from typing import Any

from service.use_cases.applicable import applicable_columns
from workers.runs.metrics import BY_NAME, METRICS, SUMMARY_METRICS, Metric, View, shown_in


def drawable(specs: Iterable[Mapping[str, Any]]) -> list[Metric]:
    """Metrics of one number at each point that some of these runs have, those that say most first."""
    there_are = {name for spec in specs for name in applicable_columns(spec).metrics}
    names = [name for name in in_order("telling") if name in there_are]
    return [BY_NAME[name] for name in names]


def summarised(specs: Iterable[Mapping[str, Any]]) -> list[Metric]:
    """The same, and behind them metrics of one number that are measured once, when a run is over."""
    specs = list(specs)
    there_are = {name for spec in specs for name in applicable_columns(spec).measured}
    once = [BY_NAME[name] for name in SUMMARY_METRICS if name in there_are and BY_NAME[name].is_number]
    return [*drawable(specs), *once]


def in_order(view: View) -> tuple[str, ...]:
    """All metrics of one number at each point: those of a view first, in its order."""
    numbers = [name for name in METRICS if BY_NAME[name].is_number]
    return tuple(dict.fromkeys((*shown_in(view), *numbers)))
