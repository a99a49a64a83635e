"""/v1/runs"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.edge.openapi import request_body
from service.edge.problems import BODY_RESPONSES, NOT_ACCEPTABLE, RESPONSES
from service.errors import FieldError, InvalidPayload
from service.exports.formats import accepted_format
from service.routes.access import HolderDependency
from service.routes.answers import (
    NOT_MODIFIED,
    THINNED,
    IfNoneMatch,
    answers_with,
    entity_tag,
    json_answer,
    next_link,
    stream,
    unchanged,
)
from service.routes.dependencies import BodyDependency, DatabaseDependency, LimitsDependency
from service.routes.parameters import Accept, FactorParameters, PointParameters, RunParameters, RunQuery
from service.schemas.lists import Page
from service.schemas.requests import Extension
from service.schemas.runs import FactorSteps, Run, Trajectory
from service.schemas.theory import Theory
from service.settings import Limits
from service.store.database import Database
from service.use_cases import continuations, exports, factors, runs, theory
from service.use_cases.payloads import parse_body

router = APIRouter(prefix="/v1/runs", tags=["runs"], responses=RESPONSES)
MOST_ON_A_PAGE = 1000


@router.get(
    "",
    response_model=Page[Run],
    responses={**answers_with("Link", "Content-Disposition", tables=True), **NOT_ACCEPTABLE},
)
def list_all(
    database: DatabaseDependency,
    limits: LimitsDependency,
    request: Request,
    query: Annotated[RunParameters, Query()],
    accept: Accept = None,
) -> Response:
    """List runs in the order of submission or as `order_by` says; in formats other than JSON as one table.

    A page of runs with long specs ends early, with its cursor.
    """
    return _list(database, limits, query, accept, request)


@router.post(
    "/query",
    response_model=Page[Run],
    responses={**answers_with("Content-Disposition", tables=True), **NOT_ACCEPTABLE, **BODY_RESPONSES},
    openapi_extra=request_body(RunQuery),
)
def query_all(
    database: DatabaseDependency, limits: LimitsDependency, body: BodyDependency, accept: Accept = None
) -> Response:
    """List runs as GET /v1/runs does, by a query in the body: for thousands of ids, which no URL holds."""
    return _list(database, limits, parse_body(RunQuery, body), accept)


def _list(
    database: Database, limits: Limits, query: RunParameters, accept: str | None, request: Request | None = None
) -> Response:
    to = accepted_format(query.format, accept)
    if to.name != "json":
        return stream(exports.export_runs(database, query.query(), query.fields, query.limit, to, limits))
    if (query.limit or 1) > MOST_ON_A_PAGE:
        detail = f"A page has at most {MOST_ON_A_PAGE} runs; follow `next`, or ask for another format."
        raise InvalidPayload([FieldError("/limit", detail)])
    page = runs.list_runs(database, query.query(), query.fields, query.limit or 100, limits)
    link = {} if request is None else next_link(request, page["next"])
    return json_answer(page, {"Vary": "Accept", **link})


@router.get("/{run_id}", response_model=Run, responses={**answers_with("ETag"), **NOT_MODIFIED})
def get(database: DatabaseDependency, request: Request, run_id: str, if_none_match: IfNoneMatch = None) -> Response:
    """Get one run; with `If-None-Match`, 304 while nothing has changed."""
    headers = entity_tag(runs.run_version(database, run_id), request, "application/json")
    return unchanged(if_none_match, headers) or json_answer(runs.get_run(database, run_id), headers)


@router.post("/{run_id}/cancel", status_code=202, response_model=Run)
def cancel(database: DatabaseDependency, run_id: str) -> Response:
    """Cancel a run that is not over; points recorded so far stay. 409 when it has ended otherwise."""
    return json_answer(runs.cancel_run(database, run_id), status=202)


@router.post("/{run_id}/retry", status_code=202, response_model=Run)
def retry(database: DatabaseDependency, limits: LimitsDependency, holder: HolderDependency, run_id: str) -> Response:
    """Queue a failed or cancelled run again; it goes on from its checkpoint."""
    return json_answer(continuations.retry_run(database, run_id, limits, holder), status=202)


@router.post(
    "/{run_id}/extend",
    status_code=202,
    response_model=Run,
    responses=BODY_RESPONSES,
    openapi_extra=request_body(Extension),
)
def extend(
    database: DatabaseDependency,
    limits: LimitsDependency,
    holder: HolderDependency,
    body: BodyDependency,
    run_id: str,
) -> Response:
    """Move a run's stop further out: more steps, a lower loss. It goes on from its checkpoint.

    The run then equals one that asked for as much from the start; asking again for the same changes nothing.
    """
    longer = continuations.extend_run(database, run_id, parse_body(Extension, body), limits, holder)
    return json_answer(longer, status=202)


@router.get(
    "/{run_id}/trajectory",
    response_model=Trajectory,
    responses={
        **answers_with("ETag", "Content-Disposition", THINNED, tables=True),
        **NOT_MODIFIED,
        **NOT_ACCEPTABLE,
    },
)
def trajectory(
    database: DatabaseDependency,
    request: Request,
    run_id: str,
    query: Annotated[PointParameters, Query()],
    accept: Accept = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Get the recorded points of a run as columns; with `If-None-Match`, 304 while there are no new ones."""
    to = accepted_format(query.format, accept)
    headers = entity_tag(runs.run_version(database, run_id), request, to.media_type)
    if answer := unchanged(if_none_match, headers):
        return answer
    return stream(exports.export_trajectory(database, run_id, query.points(), to), headers)


@router.get("/{run_id}/theory", response_model=Theory)
def theory_of(database: DatabaseDependency, run_id: str) -> Response:
    """Get what theory says of a run, point by point, and whether it did."""
    return Response(theory.get_theory(database, run_id).model_dump_json(), media_type="application/json")


@router.get("/{run_id}/factors", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
def get_factors(database: DatabaseDependency, run_id: str, query: Annotated[FactorParameters, Query()]) -> Response:
    """Get the factors as an .npz file: as they stand, or as kept at a step.

    Its arrays have the names of a contraction's factors; those of other models are factor_0, factor_1, ....

    404 for a step of which there is no snapshot; `record.factors` says at which steps a run keeps its factors.
    """
    name = run_id if query.step is None else f"{run_id}_{query.step}"
    headers = {"Content-Disposition": f'attachment; filename="{name}.npz"'}
    return Response(factors.get_factors(database, run_id, query.step), media_type="application/zip", headers=headers)


@router.get("/{run_id}/factors/steps", response_model=FactorSteps)
def factor_steps(database: DatabaseDependency, run_id: str) -> Response:
    """Get the steps of which a run has a snapshot of its factors; of a flow, the numbers of points."""
    return Response(factors.list_steps(database, run_id).model_dump_json(), media_type="application/json")
