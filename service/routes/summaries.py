"""/v1/experiments/{id}/summary and /curves"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from service.edge.problems import RESPONSES
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.routes.parameters import WHERE
from service.schemas.summaries import Curves, Summary
from service.use_cases.curves import Axis, CurveQuery, spread_along
from service.use_cases.summaries import summarise

router = APIRouter(prefix="/v1/experiments/{experiment_id}", tags=["experiments"], responses=RESPONSES)


class _GroupParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    group_by: Annotated[
        str | None, Field(description="Fields, separated by commas, e.g. `model.depth,init.std`; one group without.")
    ] = None
    where: Annotated[str | None, Field(description=WHERE)] = None


class SummaryParameters(_GroupParameters):
    """Query of a summary."""

    metric: Annotated[str, Field(description="Metrics of the summary, separated by commas.")] = "loss"


class CurveParameters(_GroupParameters):
    """Query of curves."""

    metric: Annotated[str, Field(description="A metric that is recorded at each point.")] = "loss"
    x: Annotated[Axis, Field(description="What the metric is laid along.")] = "step"
    places: Annotated[int, Field(ge=2, le=10_000, description="Places along the axis.")] = 100


@router.get("/summary")
def summary(
    database: DatabaseDependency,
    limits: LimitsDependency,
    experiment_id: str,
    query: Annotated[SummaryParameters, Query()],
) -> Summary:
    """Count, minimum, quartiles and maximum of metrics' last values, by groups of runs."""
    return summarise(database, experiment_id, query.metric, query.group_by, query.where, limits)


@router.get("/curves")
def curves(
    database: DatabaseDependency,
    limits: LimitsDependency,
    experiment_id: str,
    query: Annotated[CurveParameters, Query()],
) -> Curves:
    """Quantile curves of a metric over the runs of each group, along steps, time or loss."""
    curve_query = CurveQuery(query.metric, query.x, query.group_by, query.where, query.places)
    return spread_along(database, experiment_id, curve_query, limits)
