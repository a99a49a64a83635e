"""/v1/trajectories"""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.edge.openapi import request_body
from service.edge.problems import BODY_RESPONSES, NOT_ACCEPTABLE, RESPONSES
from service.exports.formats import accepted_format
from service.routes.answers import THINNED, answers_with, stream
from service.routes.dependencies import BodyDependency, DatabaseDependency, LimitsDependency
from service.routes.parameters import Accept, SelectedPointParameters, TrajectoryQuery
from service.schemas.runs import Trajectories
from service.settings import Limits
from service.store.database import Database
from service.use_cases.exports import export_trajectories
from service.use_cases.payloads import parse_body

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
    return _stream(database, limits, query, accept)


@router.post(
    "/query",
    response_model=Trajectories,
    responses={**answers_with("Content-Disposition", THINNED, tables=True), **NOT_ACCEPTABLE, **BODY_RESPONSES},
    openapi_extra=request_body(TrajectoryQuery),
)
def query_all(
    database: DatabaseDependency, limits: LimitsDependency, body: BodyDependency, accept: Accept = None
) -> Response:
    """Get points as GET /v1/trajectories does, by a query in the body: for thousands of ids, which no URL holds."""
    return _stream(database, limits, parse_body(TrajectoryQuery, body), accept)


def _stream(database: Database, limits: Limits, query: SelectedPointParameters, accept: str | None) -> Response:
    to = accepted_format(query.format, accept)
    return stream(export_trajectories(database, query.runs(), query.points(), to, limits))
