"""/compare: several experiments beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.errors import FieldError, InvalidPayload, NotFound
from service.limits import exceeded
from service.queries.catalogues import summary_metric
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.schemas.experiments import Experiment, ExperimentDetail
from service.schemas.summaries import GroupSummary
from service.settings import Limits
from service.store.database import Database
from service.use_cases.applicable import applicable_columns
from service.use_cases.experiments import get_experiment, list_experiments
from service.use_cases.listing import ListQuery, named
from service.use_cases.runs import list_runs
from service.use_cases.short_ids import whole_id
from service.use_cases.summaries import summarise
from service.web.commands import CommandWriter
from service.web.digits import spreads
from service.web.lists import ROWS
from service.web.metrics import in_order
from service.web.rendering import page

router = APIRouter(include_in_schema=False)
METRICS = in_order("compare")
"""Metrics to choose from, what says most first."""


@dataclass(frozen=True)
class Compared:
    """One of the experiments, and how the metric spreads over its runs."""

    experiment: ExperimentDetail
    spread: GroupSummary | None


@router.get("/compare")
def compare(
    request: Request,
    database: DatabaseDependency,
    limits: LimitsDependency,
    experiment: Annotated[list[str] | None, Query()] = None,
    metric: str = "",
) -> Response:
    """The chosen experiments, and others to choose."""
    chosen = list(dict.fromkeys(whole_id(database, "experiment", text) for text in experiment or []))
    metric = metric or (_telling(database, chosen[0], limits) if chosen else METRICS[0])
    mistake = _mistake(chosen, metric, limits)
    compared = [] if mistake else [_compared(database, public_id, metric, limits) for public_id in chosen]
    return page(
        request,
        "compare.html",
        compared=compared,
        spreads=spreads([entry.spread for entry in compared]),
        commands=CommandWriter(request).comparison(chosen, metric) if compared else None,
        others=_others(database, chosen, limits),
        chosen=chosen,
        metric=metric,
        metrics=METRICS if metric in METRICS else (*METRICS, metric),
        mistake=mistake,
    )


def _mistake(chosen: Sequence[str], metric: str, limits: Limits) -> FieldError | None:
    if len(chosen) > limits.max_experiments_per_figure:
        said = exceeded("The experiments to compare are", len(chosen), limits, "max_experiments_per_figure")
        return FieldError("/experiment", said)
    try:
        named(metric, "metric", summary_metric, limits)
    except InvalidPayload as error:
        return error.errors[0]
    return None


def _telling(database: Database, experiment_id: str, limits: Limits) -> str:
    """The first metric that applies to an experiment, going by its first run."""
    first = list_runs(database, ListQuery(experiment_id=experiment_id), None, 1, limits)["items"]
    there_are = applicable_columns(first[0]["spec"]).metrics if first else ()
    return next((name for name in METRICS if name in there_are), "loss")


def _compared(database: Database, experiment_id: str, metric: str, limits: Limits) -> Compared:
    experiment = get_experiment(database, experiment_id)
    items = summarise(database, experiment_id, metric, None, None, limits).items
    return Compared(experiment, items[0] if items else None)


def _others(database: Database, chosen: Sequence[str], limits: Limits) -> list[Experiment]:
    """The newest experiments and the chosen ones, to choose from."""
    newest = list_experiments(database, ListQuery(), ROWS, limits).items
    known = {experiment.id for experiment in newest}
    older: list[Experiment] = []
    for public_id in chosen:
        if public_id not in known:
            try:
                older.append(get_experiment(database, public_id))
            except NotFound:
                continue
    return [*older, *newest]
