"""/v1/runs"""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from service.openapi import request_body
from service.problems import BODY_RESPONSES, RESPONSES
from service.routes.access import HolderDependency
from service.routes.dependencies import BodyDependency, DatabaseDependency, LimitsDependency
from service.schemas import Extension, Page, Run, RunStatus, Theory, Trajectory
from service.store.runs import RunSelection
from service.use_cases import continuations, runs, theory
from service.use_cases.paging import from_cursor
from service.use_cases.payloads import parse_body
from workers.specs.base import LARGEST_INTEGER

router = APIRouter(prefix="/v1/runs", tags=["runs"], responses=RESPONSES)


class ListParameters(BaseModel):
    """Query of a list of runs."""

    model_config = ConfigDict(extra="forbid")

    experiment_id: str | None = None
    status: RunStatus | None = None
    cursor: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class TrajectoryParameters(BaseModel):
    """Query of a trajectory."""

    model_config = ConfigDict(extra="forbid")

    metrics: Annotated[str | None, Field(description="Names, separated by commas; all when left out.")] = None
    from_step: Annotated[int | None, Field(ge=0, le=LARGEST_INTEGER)] = None
    to_step: Annotated[int | None, Field(ge=0, le=LARGEST_INTEGER)] = None


@router.get("")
def list_all(database: DatabaseDependency, query: Annotated[ListParameters, Query()]) -> Page[Run]:
    """List runs in the order of submission."""
    selection = RunSelection(query.experiment_id, query.status, from_cursor(query.cursor))
    return runs.list_runs(database, selection, query.limit)


@router.get("/{run_id}")
def get(database: DatabaseDependency, run_id: str) -> Run:
    """Get one run."""
    return runs.get_run(database, run_id)


@router.post("/{run_id}/cancel", status_code=202)
def cancel(database: DatabaseDependency, run_id: str) -> Run:
    """Cancel a run unless it is over; points recorded so far stay."""
    return runs.cancel_run(database, run_id)


@router.post("/{run_id}/retry", status_code=202)
def retry(database: DatabaseDependency, run_id: str) -> Run:
    """Queue a failed or cancelled run again; it goes on from its checkpoint."""
    return continuations.retry_run(database, run_id)


@router.post("/{run_id}/extend", status_code=202, responses=BODY_RESPONSES, openapi_extra=request_body(Extension))
def extend(
    database: DatabaseDependency,
    limits: LimitsDependency,
    holder: HolderDependency,
    body: BodyDependency,
    run_id: str,
) -> Run:
    """Move a run's stop further out: more steps, a lower loss. It goes on from its checkpoint.

    The run then equals one that asked for as much from the start; asking again for the same changes nothing.
    """
    return continuations.extend_run(database, run_id, parse_body(Extension, body), limits, holder)


@router.get("/{run_id}/trajectory", response_model=Trajectory)
def trajectory(database: DatabaseDependency, run_id: str, query: Annotated[TrajectoryParameters, Query()]) -> Response:
    """Get the recorded points of a run as columns."""
    metrics = None if query.metrics is None else [name for name in query.metrics.split(",") if name]
    found = runs.get_trajectory(database, run_id, metrics, query.from_step, query.to_step)
    return Response(found.model_dump_json(), media_type="application/json")


@router.get("/{run_id}/theory", response_model=Theory)
def theory_of(database: DatabaseDependency, run_id: str) -> Response:
    """Get what theory says of a run, point by point, and whether it did."""
    return Response(theory.get_theory(database, run_id).model_dump_json(), media_type="application/json")


@router.get("/{run_id}/factors", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
def factors(database: DatabaseDependency, run_id: str) -> Response:
    """Get the factors as they stand, as an .npz file with arrays factor_0, factor_1, ..."""
    headers = {"Content-Disposition": f'attachment; filename="{run_id}.npz"'}
    return Response(runs.get_factors(database, run_id), media_type="application/zip", headers=headers)
