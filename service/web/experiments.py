"""/ and /experiments: all experiments, one of them, its groups, and what can be done with it."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from service.routes.access import HolderDependency
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.schemas.experiments import Experiment, ExperimentDetail
from service.use_cases import continuations, experiments, runs
from service.use_cases.events import last_event_id
from service.use_cases.listing import ListQuery
from service.use_cases.timings import experiment_timing
from service.web.commands import CommandWriter
from service.web.forms import same_origin
from service.web.lists import ROWS, Column, column_texts, read_table, run_columns
from service.web.metrics import summarised
from service.web.rendering import page
from service.web.spec_text import abridged, to_yaml

router = APIRouter(include_in_schema=False)
acts = APIRouter(include_in_schema=False, dependencies=[Depends(same_origin)])
MOST_SWEPT_COLUMNS = 4
_COLUMNS = (
    Column("name", "name"),
    Column("status", "status"),
    Column("progress", "runs.succeeded"),
    Column("runs", "runs.total"),
    Column("submitted", "created_at"),
    Column("id", "id"),
)


class TableQuery(BaseModel):
    """Query of a page with a table."""

    where: str = ""
    order_by: str = ""
    cursor: str = ""

    def of(self, experiment_id: str | None = None) -> ListQuery:
        """What is asked of the list."""
        return ListQuery(self.where or None, self.order_by or None, self.cursor or None, experiment_id)


TableParameters = Annotated[TableQuery, Query()]


@router.get("/")
def index(request: Request, database: DatabaseDependency, limits: LimitsDependency, query: TableParameters) -> Response:
    """All experiments."""

    def read(list_query: ListQuery) -> tuple[Sequence[Experiment], str | None]:
        listed = experiments.list_experiments(database, list_query, ROWS, limits)
        return listed.items, listed.next

    table = read_table("/", query.of(), read, lambda _: _COLUMNS)
    is_live = any(experiment.status in ("queued", "running") for experiment in table.items)
    commands = CommandWriter(request).experiments(table.query, ROWS)
    return page(request, "experiments.html", table=table, is_live=is_live, commands=commands)


@router.get("/experiments")
def all_experiments() -> Response:
    """The list stands at /."""
    return RedirectResponse("/", 308)


@router.get("/experiments/{experiment_id}")
def show(
    request: Request, database: DatabaseDependency, limits: LimitsDependency, experiment_id: str, query: TableParameters
) -> Response:
    """One experiment."""
    after = last_event_id(database, experiment_id)  # before anything else is read: what comes later is told
    experiment = experiments.get_experiment(database, experiment_id)
    swept = swept_paths(experiment)

    def read(list_query: ListQuery) -> tuple[Sequence[dict[str, Any]], str | None]:
        listed = runs.list_runs(database, list_query, None, ROWS, limits)
        return listed["items"], listed["next"]

    path = f"/experiments/{experiment.id}"
    table = read_table(path, query.of(experiment.id), read, run_columns(swept[:MOST_SWEPT_COLUMNS]))
    return page(
        request,
        "experiment.html",
        experiment=experiment,
        table=table,
        swept=swept,
        texts=[column_texts(column, table.items) for column in table.columns],
        timing=experiment_timing(database, experiment),
        commands=CommandWriter(request).experiment(table.query, ROWS),
        after=after,
        metrics=summarised(run["spec"] for run in table.items),
        spec=to_yaml(abridged({"run": experiment.run, "sweep": experiment.sweep})),
    )


@router.get("/experiments/{experiment_id}/delete")
def ask_to_delete(request: Request, database: DatabaseDependency, experiment_id: str) -> Response:
    """Make sure that somebody wants to delete an experiment."""
    return page(request, "delete.html", experiment=experiments.get_experiment(database, experiment_id))


@acts.post("/experiments/{experiment_id}/delete")
def delete(database: DatabaseDependency, experiment_id: str) -> Response:
    """Delete an experiment."""
    experiments.delete(database, experiment_id)
    return RedirectResponse("/", 303)


@acts.post("/experiments/{experiment_id}/cancel")
def cancel(database: DatabaseDependency, experiment_id: str) -> Response:
    """Cancel the runs of an experiment that are not over."""
    return _back_to(experiments.cancel(database, experiment_id))


@acts.post("/experiments/{experiment_id}/retry")
def retry(
    database: DatabaseDependency, limits: LimitsDependency, holder: HolderDependency, experiment_id: str
) -> Response:
    """Queue the failed and cancelled runs of an experiment again."""
    return _back_to(continuations.retry_experiment(database, experiment_id, limits, holder))


def swept_paths(experiment: ExperimentDetail) -> list[str]:
    """The fields in which an experiment's runs differ."""
    return [path for axis in experiment.sweep for path, values in axis.items() if len(values) > 1]


def _back_to(experiment: Experiment) -> Response:
    return RedirectResponse(f"/experiments/{experiment.id}", 303)
