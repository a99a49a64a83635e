"""/experiments/{id}/groups: how a metric's last values spread over groups of runs."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from service.errors import FieldError, InvalidPayload
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.schemas.summaries import GroupSummary
from service.use_cases.experiments import get_experiment
from service.use_cases.summaries import summarise
from service.web.commands import CommandWriter
from service.web.digits import spreads
from service.web.experiments import swept_paths
from service.web.rendering import page

router = APIRouter(include_in_schema=False)


class GroupQuery(BaseModel):
    """Query of a summary by groups."""

    group_by: str = ""
    metric: str = "loss"
    where: str = ""


@router.get("/experiments/{experiment_id}/groups")
def groups(
    request: Request,
    database: DatabaseDependency,
    limits: LimitsDependency,
    experiment_id: str,
    query: Annotated[GroupQuery, Query()],
) -> Response:
    """A metric by groups of runs."""
    experiment = get_experiment(database, experiment_id)
    items: Sequence[GroupSummary] = ()
    mistake: FieldError | None = None
    try:
        items = summarise(
            database, experiment_id, query.metric, query.group_by or None, query.where or None, limits
        ).items
    except InvalidPayload as error:
        mistake = error.errors[0]
    return page(
        request,
        "groups.html",
        experiment=experiment,
        swept=swept_paths(experiment),
        query=query,
        items=items,
        spreads=spreads(items),
        commands=CommandWriter(request).groups(experiment.id, query.metric, query.group_by, query.where),
        mistake=mistake,
    )
