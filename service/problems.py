"""Problem documents (RFC 9457): the one place where domain errors meet HTTP."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from service.errors import (
    CrossOrigin,
    FieldError,
    IdempotencyConflict,
    InvalidPayload,
    NotAcceptable,
    NotAvailable,
    NotFound,
    NotReady,
    PayloadTooLarge,
    RankwardError,
    json_pointer,
)
from service.schemas import Problem
from service.store.database import DATABASE_AWAY

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[RankwardError], tuple[int, str]] = {
    InvalidPayload: (422, "invalid-payload"),
    IdempotencyConflict: (422, "idempotency-conflict"),
    PayloadTooLarge: (413, "payload-too-large"),
    NotFound: (404, "not-found"),
    NotAcceptable: (406, "not-acceptable"),
    NotAvailable: (409, "not-available"),
    CrossOrigin: (403, "cross-origin"),
    NotReady: (503, "not-ready"),
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {MEDIA_TYPE: {}}}
    for status, description in ((404, "No such thing"), (422, "Not valid"))
}
"""What routes document besides their success."""

NOT_ACCEPTABLE: dict[int | str, dict[str, Any]] = {
    406: {"model": Problem, "description": "None of the formats is accepted", "content": {MEDIA_TYPE: {}}}
}
"""What routes that answer in several formats document too."""

NOT_NOW: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "Not as things stand", "content": {MEDIA_TYPE: {}}}
}
"""What routes document besides whose answer depends on where a run stands."""


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""
    app.add_exception_handler(RankwardError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DataError, _not_storable)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database_away)
    app.add_exception_handler(Exception, _unexpected)


def _problem(
    status: int, kind: str, title: str, detail: str, errors: Sequence[FieldError] = (), headers: Any = None
) -> JSONResponse:
    content: dict[str, Any] = {"type": f"urn:rankward:{kind}", "title": title, "status": status, "detail": detail}
    if errors:
        content["errors"] = [{k: v for k, v in asdict(error).items() if v is not None} for error in errors]
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def _domain_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RankwardError)
    status, kind = _STATUS[type(error)]
    whole = [FieldError("", error.detail)] if isinstance(error, PayloadTooLarge | IdempotencyConflict) else []
    errors = error.errors if isinstance(error, InvalidPayload) else whole
    return _problem(status, kind, type(error).__doc__ or kind, error.detail, errors)


def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [FieldError(json_pointer(one["loc"][1:]), _query_advice(one)) for one in error.errors()]
    return _domain_error(request, InvalidPayload(found))


def _query_advice(error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return f"There is no parameter {error['loc'][-1]!r} here; see /docs for those there are."
    return error["msg"]


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = {404: "There is nothing at this path; see /docs.", 405: "This path does not take this method; see /docs."}
    text = detail.get(error.status_code, str(error.detail))
    return _problem(error.status_code, "http", str(error.detail), text, headers=error.headers)


def _database_away(request: Request, _error: Exception) -> JSONResponse:
    detail = "The database does not answer: it is locked, full, read-only or gone; try again."
    return _domain_error(request, NotReady(detail))


def _not_storable(request: Request, _error: Exception) -> JSONResponse:
    detail = "The database cannot hold a value of this request, such as a NUL character or a huge integer."
    return _domain_error(request, InvalidPayload([FieldError("", detail)]))


def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return _problem(500, "internal", "Internal error", "Something went wrong on our side; the log has the traceback.")
