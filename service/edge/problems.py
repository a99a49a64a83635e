"""Problem documents (RFC 9457): the one place where domain errors meet HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from service.errors import (
    AmbiguousId,
    BeingStored,
    CrossOrigin,
    FieldError,
    Forbidden,
    HeadTooLarge,
    IdempotencyConflict,
    InvalidPayload,
    MalformedRequest,
    NotAcceptable,
    NotAvailable,
    NotFound,
    NotReady,
    PayloadTooLarge,
    RankwardError,
    TooSlow,
    TryLater,
    Unauthenticated,
    UnsupportedMediaType,
    UrlTooLong,
    WrongHost,
    json_pointer,
)
from service.schemas.problems import Problem
from service.store.database import DATABASE_AWAY

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[RankwardError], tuple[int, str]] = {
    InvalidPayload: (422, "invalid-payload"),
    IdempotencyConflict: (422, "idempotency-conflict"),
    MalformedRequest: (400, "malformed-request"),
    TooSlow: (408, "too-slow"),
    UrlTooLong: (414, "url-too-long"),
    HeadTooLarge: (431, "head-too-large"),
    PayloadTooLarge: (413, "payload-too-large"),
    UnsupportedMediaType: (415, "unsupported-media-type"),
    Unauthenticated: (401, "unauthenticated"),
    Forbidden: (403, "forbidden"),
    CrossOrigin: (403, "cross-origin"),
    WrongHost: (421, "wrong-host"),
    TryLater: (429, "quota-exceeded"),
    NotFound: (404, "not-found"),
    AmbiguousId: (409, "ambiguous-id"),
    NotAcceptable: (406, "not-acceptable"),
    NotAvailable: (409, "not-available"),
    NotReady: (503, "not-ready"),
    BeingStored: (503, "being-stored"),
}


def responses(**descriptions: str) -> dict[int | str, dict[str, Any]]:
    """Problem documents that a route may answer with, by status: `responses(_404="No such run")`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {int(status[1:]): {"description": said, "content": content} for status, said in descriptions.items()}


RESPONSES = responses(
    _401="An API key is needed",
    _403="The key has too small a scope",
    _404="No such thing",
    _409="Not available yet, or not any more; or the short id stands for several",
    _422="Not valid",
    _429="A limit of the key is reached",
    _503="The database does not answer",
)
"""What routes document besides their success."""

BODY_RESPONSES = responses(_413="Too large", _415="Neither JSON nor said to be")
"""What routes that read a body document further."""

NOT_ACCEPTABLE = responses(_406="None of the formats is accepted")
"""What routes that answer in several formats document too."""


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""
    app.add_exception_handler(RankwardError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DataError, _not_storable)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database_away)


def _problem(
    status: int, kind: str, title: str, detail: str, errors: Sequence[FieldError] = (), headers: Any = None
) -> JSONResponse:
    content: dict[str, Any] = {"type": f"urn:rankward:{kind}", "title": title, "status": status, "detail": detail}
    if errors:
        content["errors"] = [{k: v for k, v in asdict(error).items() if v is not None} for error in errors]
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: RankwardError) -> JSONResponse:
    """The problem document of a domain error."""
    return _domain_error(None, error)


def _domain_error(_request: Request | None, error: Exception) -> JSONResponse:
    assert isinstance(error, RankwardError)
    status, kind = _STATUS[type(error)]
    whole = [FieldError("", error.detail)] if isinstance(error, PayloadTooLarge | IdempotencyConflict) else []
    errors = error.errors if isinstance(error, InvalidPayload) else whole
    title = (type(error).__doc__ or kind).partition("\n")[0]
    return _problem(status, kind, title, error.detail, errors, _headers(error))


def _headers(error: RankwardError) -> dict[str, str] | None:
    """What a client's library looks for: RFC 6750 for keys, RFC 9110 for Retry-After."""
    match error:
        case Unauthenticated():
            return {"WWW-Authenticate": 'Bearer realm="rankward"' + (', error="invalid_token"' if error.given else "")}
        case Forbidden():
            return {"WWW-Authenticate": f'Bearer realm="rankward", error="insufficient_scope", scope="{error.scope}"'}
        case TryLater():
            return {"Retry-After": str(error.retry_after)}
        case _:
            return None


def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [FieldError(json_pointer(mistake["loc"][1:]), _query_advice(mistake)) for mistake in error.errors()]
    return _domain_error(request, InvalidPayload(errors))


def _query_advice(error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return f"There is no parameter {error['loc'][-1]!r} here; see /docs for those there are."
    return error["msg"]


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = {404: "There is nothing at this path; see /docs.", 405: "This path does not take this method; see /docs."}
    text = detail.get(error.status_code, str(error.detail))
    return _problem(error.status_code, "http", str(error.detail), text, headers=_with_head(error.headers))


def _with_head(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Allow as it is: whatever answers GET answers HEAD."""
    return {
        name: value.replace("GET", "GET, HEAD") if name == "Allow" else value for name, value in (headers or {}).items()
    }


def _database_away(request: Request, _error: Exception) -> JSONResponse:
    detail = "The database does not answer: it is locked, full, read-only or gone; try again."
    return _domain_error(request, NotReady(detail))


def _not_storable(request: Request, _error: Exception) -> JSONResponse:
    detail = "The database cannot hold a value of this request, such as a NUL character or a huge integer."
    return _domain_error(request, InvalidPayload([FieldError("", detail)]))


def internal_problem(_error: Exception) -> JSONResponse:
    """The problem document of an error that nobody expected; it tells nothing of the inside."""
    return _problem(500, "internal", "Internal error", "Something went wrong on our side; the log has the traceback.")
