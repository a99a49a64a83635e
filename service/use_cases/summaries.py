"""Summaries of an experiment: quantiles of a metric's last values over the runs of each group."""

from typing import Any

from service.queries.catalogues import summary_metric
from service.schemas.summaries import GroupSummary, Summary
from service.settings import Limits
from service.store.database import Database
from service.use_cases.groups import grouped, grouping_fields, selected_in
from service.use_cases.listing import named
from service.values.numbers import spell
from service.values.quantiles import Numbers, five_numbers, that_count


def summarise(
    database: Database, experiment_id: str, metric: str, group_by: str | None, where: str | None, limits: Limits
) -> Summary:
    """Count, minimum, quartiles and maximum of metrics in each group of runs.

    Raises:
        NotFound: no such experiment.
        InvalidPayload: a mistake in the query.
    """
    fields = grouping_fields(group_by, limits)
    metrics = named(metric, "metric", summary_metric, limits)
    groups = grouped(database, selected_in(database, experiment_id, where, limits), fields, metrics)
    items = [
        GroupSummary(group=dict(group.values), metric=field.name, runs=len(group.ids), **_spread(values))
        for group in groups
        for field, values in zip(metrics, group.metrics, strict=True)
    ]
    return Summary(experiment_id=experiment_id, items=items)


def _spread(last: Numbers) -> dict[str, Any]:
    values = that_count(last)
    if not len(values):
        return {"count": 0}
    least, lower, median, upper, greatest = map(spell, five_numbers(values))
    quartiles = (lower, median, upper)
    return {"count": len(values), "min": least, "quartiles": quartiles, "median": median, "max": greatest}
