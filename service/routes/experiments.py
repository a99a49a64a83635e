"""/v1/experiments"""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from service.openapi import request_body
from service.problems import RESPONSES
from service.routes.answers import answers_with, json_answer, next_link
from service.routes.dependencies import BodyDependency, DatabaseDependency, LimitsDependency
from service.routes.parameters import ExperimentParameters
from service.schemas import DryRun, Experiment, ExperimentDetail, ExperimentRequest, Page
from service.use_cases import continuations, experiments
from service.use_cases.payloads import parse_request

router = APIRouter(prefix="/v1/experiments", tags=["experiments"], responses=RESPONSES)


class SubmitParameters(BaseModel):
    """Query of a submission."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


@router.post(
    "",
    status_code=202,
    response_model=Experiment,
    responses={200: {"model": Experiment | DryRun}},
    openapi_extra=request_body(ExperimentRequest),
)
def submit(
    database: DatabaseDependency,
    limits: LimitsDependency,
    body: BodyDependency,
    query: Annotated[SubmitParameters, Query()],
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Submit an experiment. With `dry_run=true` nothing is stored and the answer is its cost."""
    request = parse_request(body)
    if query.dry_run:
        return JSONResponse(experiments.dry_run(request, limits).model_dump(mode="json"))
    submission = experiments.submit(database, request, limits, idempotency_key)
    content = submission.experiment.model_dump(mode="json", include=set(Experiment.model_fields))
    location = f"/v1/experiments/{submission.experiment.id}"
    return JSONResponse(content, 202 if submission.is_new else 200, headers={"Location": location})


@router.get("", response_model=Page[Experiment], responses=answers_with("Link"))
def list_all(
    database: DatabaseDependency,
    limits: LimitsDependency,
    request: Request,
    query: Annotated[ExperimentParameters, Query()],
) -> Response:
    """List experiments, newest first or as `order_by` says."""
    page = experiments.list_experiments(database, query.query(), query.limit, limits)
    return json_answer(page.model_dump(mode="json"), next_link(request, page.next))


@router.get("/{experiment_id}")
def get(database: DatabaseDependency, experiment_id: str) -> ExperimentDetail:
    """Get one experiment."""
    return experiments.get_experiment(database, experiment_id)


@router.post("/{experiment_id}/cancel", status_code=202)
def cancel(database: DatabaseDependency, experiment_id: str) -> ExperimentDetail:
    """Cancel every run that is not over; points recorded so far stay."""
    return experiments.cancel(database, experiment_id)


@router.post("/{experiment_id}/retry", status_code=202)
def retry(database: DatabaseDependency, experiment_id: str) -> ExperimentDetail:
    """Queue every failed run again; each goes on from its checkpoint."""
    return continuations.retry_experiment(database, experiment_id)


@router.delete("/{experiment_id}", status_code=204)
def delete(database: DatabaseDependency, experiment_id: str) -> None:
    """Delete an experiment with its runs and trajectories."""
    experiments.delete(database, experiment_id)
