"""/sign-in and /sign-out: where keys are asked for, a person gives theirs once, and the browser keeps it."""

from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from service.errors import RankwardError
from service.routes.access import asks_for_keys
from service.routes.dependencies import KEY_COOKIE, DatabaseDependency, LimitsDependency
from service.settings import Settings
from service.use_cases.keys import find_holder
from service.web.forms import Fields, same_origin
from service.web.rendering import page

router = APIRouter(include_in_schema=False)

SECONDS_KEPT = 30 * 24 * 3600


@router.get("/sign-in")
def ask(request: Request, next: Annotated[str, Query()] = "/") -> Response:
    """Ask for a key."""
    return _form(request, next)


@router.post("/sign-in")
def sign_in(request: Request, database: DatabaseDependency, limits: LimitsDependency, fields: Fields) -> Response:
    """Check a key and let the browser keep it."""
    key, target = fields.get("key", "").strip(), fields.get("next", "/")
    if asks_for_keys(request):
        try:
            find_holder(database, key, limits)
        except RankwardError as error:
            return _form(request, target, error.detail)
    answer = RedirectResponse(_local_path(target), 303)
    if asks_for_keys(request):  # else there is nothing to keep, and the field may hold anything
        answer.set_cookie(KEY_COOKIE, key, SECONDS_KEPT, **_cookie(request))
    return answer


@router.post("/sign-out", dependencies=[Depends(same_origin)])
def sign_out(request: Request) -> Response:
    """Let the browser forget the key."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(KEY_COOKIE, **_cookie(request))
    return answer


class _Cookie(TypedDict):
    """Who may have the cookie."""

    path: str
    secure: bool
    httponly: bool
    samesite: Literal["strict"]


def _cookie(request: Request) -> _Cookie:
    settings: Settings = request.app.state.settings
    return {
        "path": settings.root_path or "/",
        "secure": _is_over_tls(request, settings),
        "httponly": True,
        "samesite": "strict",
    }


def _is_over_tls(request: Request, settings: Settings) -> bool:
    """Whether the browser speaks TLS, to us or to a proxy: it says so itself, in the origin of the form's page."""
    page_origin = request.headers.get("origin") or settings.public_origin or ""
    return request.url.scheme == "https" or page_origin.startswith("https://")


def _form(request: Request, target: str, mistake: str | None = None) -> Response:
    return page(request, "sign_in.html", asks=asks_for_keys(request), next=_local_path(target), mistake=mistake)


def _local_path(target: str) -> str:
    """A path of this server; whatever leads elsewhere becomes the first page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if is_path else "/"
