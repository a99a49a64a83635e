"""/runs/{id}: one run, and what can be done with it."""

from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from service.errors import FieldError, InvalidPayload, NotAvailable, TryLater
from service.exports.formats import FORMATS
from service.routes.access import HolderDependency
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.schemas.requests import Extension
from service.store.database import Database
from service.use_cases import continuations, experiments, factors, runs
from service.use_cases.applicable import applicable_columns
from service.use_cases.events import last_event_id
from service.use_cases.payloads import parse_body
from service.use_cases.theory import get_theory
from service.use_cases.timings import run_timing
from service.web.commands import CommandWriter
from service.web.forms import Fields, same_origin
from service.web.metrics import drawable
from service.web.rendering import page
from service.web.spec_text import abridged, from_text, to_yaml
from workers.runs.metrics import shown_in

MOST_KEPT_STEPS = 10
"""Snapshots that a page links to, the last ones; the list has them all."""

router = APIRouter(include_in_schema=False)
acts = APIRouter(include_in_schema=False, dependencies=[Depends(same_origin)])


@router.get("/runs")
def all_runs() -> Response:
    """Runs are found through their experiments."""
    return RedirectResponse("/", 307)


@router.get("/runs/{run_id}")
def show(request: Request, database: DatabaseDependency, run_id: str) -> Response:
    """One run."""
    return _run_page(request, database, run_id)


@acts.post("/runs/{run_id}/cancel")
def cancel(request: Request, database: DatabaseDependency, run_id: str) -> Response:
    """Cancel a run that is not over."""
    try:
        return _back_to(runs.cancel_run(database, run_id))
    except NotAvailable as error:
        return _run_page(request, database, run_id, FieldError("", error.detail))


@acts.post("/runs/{run_id}/retry")
def retry(
    request: Request, database: DatabaseDependency, limits: LimitsDependency, holder: HolderDependency, run_id: str
) -> Response:
    """Queue a failed or cancelled run again."""
    try:
        return _back_to(continuations.retry_run(database, run_id, limits, holder))
    except (NotAvailable, InvalidPayload, TryLater) as error:
        return _run_page(request, database, run_id, FieldError("", error.detail))


@acts.post("/runs/{run_id}/extend")
def extend(
    request: Request,
    database: DatabaseDependency,
    limits: LimitsDependency,
    holder: HolderDependency,
    run_id: str,
    fields: Fields,
) -> Response:
    """Move a run's stop further out."""
    try:
        stops = (name for name in ("max_steps", "max_time", "loss_below") if fields.get(name, "").strip())
        extension = parse_body(Extension, orjson.dumps({name: from_text(fields[name]) for name in stops}))
        return _back_to(continuations.extend_run(database, run_id, extension, limits, holder))
    except InvalidPayload as error:
        return _run_page(request, database, run_id, error.errors[0], fields)
    except (NotAvailable, TryLater) as error:
        return _run_page(request, database, run_id, FieldError("", error.detail), fields)


def _run_page(
    request: Request,
    database: Database,
    run_id: str,
    mistake: FieldError | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    experiment_id = runs.get_run(database, run_id)["experiment_id"]
    after = last_event_id(database, experiment_id)  # before what is shown is read: what comes later is told
    run = runs.get_run(database, run_id)
    kept = factors.list_steps(database, run_id).steps
    return page(
        request,
        "run.html",
        run=run,
        experiment=experiments.get_experiment(database, experiment_id),
        theory=get_theory(database, run_id),
        after=after,
        metrics=drawable([run["spec"]]),
        timing=run_timing(run),
        commands=CommandWriter(request).run(run["id"]),
        facts=shown_in("run"),
        has_spectrum="singular_values" in applicable_columns(run["spec"]).metrics,
        kept_steps=kept[-MOST_KEPT_STEPS:],
        kept_count=len(kept),
        formats=tuple(FORMATS),
        spec=to_yaml(abridged(run["spec"])),
        mistake=mistake,
        given=given or {},
    )


def _back_to(run: dict[str, Any]) -> Response:
    return RedirectResponse(f"/runs/{run['id']}", 303)
