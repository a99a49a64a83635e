"""/v1/experiments"""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from service.edge.openapi import JSON, MERGE_PATCH, request_body
from service.edge.problems import BODY_RESPONSES, RESPONSES
from service.routes.access import HolderDependency
from service.routes.answers import answers_with, json_answer, next_link
from service.routes.dependencies import (
    BodyDependency,
    DatabaseDependency,
    LimitsDependency,
    PatchDependency,
    run_submission,
)
from service.routes.parameters import ExperimentParameters
from service.schemas.experiments import DryRun, Experiment, ExperimentDetail
from service.schemas.lists import Page
from service.schemas.requests import ExperimentChanges, ExperimentRequest
from service.settings import Limits
from service.store.database import Database
from service.use_cases import continuations, experiments, submissions
from service.use_cases.keys import Holder
from service.use_cases.payloads import parse_body, parse_request

router = APIRouter(prefix="/v1/experiments", tags=["experiments"], responses=RESPONSES)


class SubmitParameters(BaseModel):
    """Query of a submission."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


@router.post(
    "",
    status_code=202,
    response_model=Experiment,
    responses={200: {"model": Experiment | DryRun}} | BODY_RESPONSES,
    openapi_extra=request_body(ExperimentRequest),
)
async def submit(
    request: Request,
    database: DatabaseDependency,
    limits: LimitsDependency,
    holder: HolderDependency,
    body: BodyDependency,
    query: Annotated[SubmitParameters, Query()],
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Response:
    """Submit an experiment. With `dry_run=true` nothing is stored and the answer is its cost."""
    if query.dry_run:
        return await run_submission(request, lambda: _dry_run(database, body, limits), len(body))
    return await run_submission(request, lambda: _submit(database, body, limits, idempotency_key, holder), len(body))


def _dry_run(database: Database, body: bytes, limits: Limits) -> Response:
    cost = submissions.dry_run(database, parse_request(body), limits)
    return Response(cost.model_dump_json(), media_type="application/json")  # its integers may be beyond 64 bits


def _submit(database: Database, body: bytes, limits: Limits, key: str | None, holder: Holder | None) -> Response:
    submission = submissions.submit(database, parse_request(body), limits, key, holder)
    content = submission.experiment.model_dump(include=set(Experiment.model_fields))
    location = f"/v1/experiments/{submission.experiment.id}"
    return json_answer(content, {"Location": location}, 202 if submission.is_new else 200)


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


@router.patch(
    "/{experiment_id}", responses=BODY_RESPONSES, openapi_extra=request_body(ExperimentChanges, MERGE_PATCH, JSON)
)
def change(database: DatabaseDependency, body: PatchDependency, experiment_id: str) -> ExperimentDetail:
    """Change an experiment's name, tags or priority by a JSON merge patch (RFC 7396).

    What the patch leaves out stays, tag by tag; null removes a tag, all tags, the name or the priority.
    """
    return experiments.change(database, experiment_id, parse_body(ExperimentChanges, body))


@router.post("/{experiment_id}/cancel", status_code=202)
def cancel(database: DatabaseDependency, experiment_id: str) -> ExperimentDetail:
    """Cancel every run that is not over; points recorded so far stay. 409 when all have ended otherwise."""
    return experiments.cancel(database, experiment_id)


@router.post("/{experiment_id}/retry", status_code=202)
def retry(
    database: DatabaseDependency, limits: LimitsDependency, holder: HolderDependency, experiment_id: str
) -> ExperimentDetail:
    """Queue every failed or cancelled run again; each goes on from its checkpoint. 409 when there is none."""
    return continuations.retry_experiment(database, experiment_id, limits, holder)


@router.delete("/{experiment_id}", status_code=204)
def delete(database: DatabaseDependency, experiment_id: str) -> None:
    """Delete an experiment with its runs and trajectories."""
    experiments.delete(database, experiment_id)
