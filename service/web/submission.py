"""/new: an experiment from a preset, from another one, or from nothing; checked before it is submitted."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from service import presets
from service.errors import FieldError, IdempotencyConflict, InvalidPayload, TryLater, json_pointer
from service.routes.access import HolderDependency
from service.routes.dependencies import DatabaseDependency, LimitsDependency, run_reading, run_submission
from service.schemas.experiments import DryRun
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store.database import Database
from service.use_cases import experiments, runs, submissions
from service.use_cases.keys import Holder
from service.use_cases.payloads import parse_request
from service.values.ids import new_id
from service.web.forms import Fields
from service.web.rendering import page
from service.web.spec_text import from_text, to_text
from workers.runs.seeds import with_spelled_seeds

router = APIRouter(include_in_schema=False)
acts = APIRouter(include_in_schema=False)
USUAL_PRESET = "first_look"


class Start(BaseModel):
    """Query of the form: what to begin with."""

    preset: str = ""
    experiment: str = ""
    run: str = ""


@router.get("/new")
async def begin(
    request: Request, database: DatabaseDependency, limits: LimitsDependency, query: Annotated[Start, Query()]
) -> Response:
    """The form, filled in."""
    try:
        text, posted = await run_reading(request, lambda: _beginning(database, query))
    except InvalidPayload as error:
        return _form(request, "", query, None, error.errors)
    return await run_submission(request, lambda: _form(request, text, query, *_checked(database, posted, limits)))


def _beginning(database: Database, start: Start) -> tuple[str, ExperimentRequest]:
    """What the form begins with, as a text and as a request."""
    content = {key: value for key, value in _content(database, start).items() if value}
    return to_text(content), _request(content)


@acts.post("/new")
async def check_or_submit(
    request: Request, database: DatabaseDependency, limits: LimitsDependency, holder: HolderDependency, fields: Fields
) -> Response:
    """Check what the form says, or submit it."""
    text, start = fields.get("spec", ""), Start(preset=fields.get("preset", ""))
    try:
        posted = await run_reading(request, lambda: _request(from_text(text)))
    except InvalidPayload as error:
        return _form(request, text, start, None, error.errors, fields.get("key"))
    return await run_submission(request, lambda: _check_or_submit(request, database, limits, holder, fields, posted))


def _check_or_submit(
    request: Request,
    database: Database,
    limits: Limits,
    holder: Holder | None,
    fields: Mapping[str, str],
    posted: ExperimentRequest,
) -> Response:
    text, start, key = fields.get("spec", ""), Start(preset=fields.get("preset", "")), fields.get("key")
    if fields.get("act") != "submit":
        return _form(request, text, start, *_checked(database, posted, limits), key)
    try:
        submission = _submit(database, posted, limits, key, holder)
    except InvalidPayload as error:
        return _form(request, text, start, None, error.errors)
    except TryLater as error:
        return _form(request, text, start, None, (FieldError("", error.detail),))
    return RedirectResponse(f"/experiments/{submission.experiment.id}", 303)


def _submit(
    database: Database, posted: ExperimentRequest, limits: Limits, key: str | None, holder: Holder | None
) -> submissions.Submission:
    """Submit once, however often the button is pressed; what was changed since is another experiment."""
    try:
        return submissions.submit(database, posted, limits, key or new_id(), holder)
    except IdempotencyConflict:
        return submissions.submit(database, posted, limits, new_id(), holder)


def _form(
    request: Request,
    text: str,
    start: Start,
    cost: DryRun | None,
    mistakes: tuple[FieldError, ...],
    key: str | None = None,
) -> Response:
    return page(
        request,
        "new.html",
        presets=presets.list_presets(),
        start=start,
        text=text,
        cost=cost,
        mistakes=mistakes,
        key=key or new_id(),
    )


def _content(database: Database, start: Start) -> dict[str, Any]:
    if start.run:
        return {"name": "", "run": runs.get_run(database, start.run)["spec"]}
    if start.experiment:
        experiment = experiments.get_experiment(database, start.experiment)
        return experiment.model_dump(include={"name", "tags", "run", "sweep"})
    return presets.get_preset(start.preset or USUAL_PRESET)


def _checked(
    database: Database, posted: ExperimentRequest, limits: Limits
) -> tuple[DryRun | None, tuple[FieldError, ...]]:
    """What an experiment would cost, or what is wrong with it."""
    try:
        return submissions.dry_run(database, posted, limits), ()
    except InvalidPayload as error:
        return None, error.errors


def _request(value: Any) -> ExperimentRequest:
    try:
        body = orjson.dumps(with_spelled_seeds(value), option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:  # a date, say, or a number beyond 64 bits
        raise InvalidPayload([FieldError(json_pointer(()), "Use numbers, texts, lists and objects only.")]) from None
    return parse_request(body)
