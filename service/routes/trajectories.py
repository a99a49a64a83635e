"""/v1/trajectories"""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.edge.problems import NOT_ACCEPTABLE, RESPONSES
from service.exports.formats import accepted_format
from service.routes.answers import THINNED, answers_with, stream
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.routes.parameters import Accept, SelectedPointParameters
from service.schemas import Trajectories
from service.use_cases.exports import export_trajectories

router = APIRouter(prefix="/v1/trajectories", tags=["trajectories"], responses=RESPONSES)


@router.get(
    "",
    response_model=Trajectories,
    responses={**answers_with("Content-Disposition", THINNED, tables=True), **NOT_ACCEPTABLE},
)
def list_all(
    database: DatabaseDependency,
    limits: LimitsDependency,
    query: Annotated[SelectedPointParameters, Query()],
    accept: Accept = None,
) -> Response:
    """Get the points of all selected runs in one stream: rows of run_id, step, time and metrics, or an item per run."""
    to = accepted_format(query.format, accept)
    return stream(export_trajectories(database, query.runs(), query.points(), to, limits))
