"""/sign-in and /sign-out: where keys are asked for, a person gives theirs once, and the browser keeps it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from service.errors import RankwardError
from service.routes.access import asks_for_keys
from service.routes.dependencies import KEY_COOKIE, DatabaseDependency, LimitsDependency
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
    answer = RedirectResponse(_own(target), 303)
    is_secure = request.url.scheme == "https"
    answer.set_cookie(KEY_COOKIE, key, SECONDS_KEPT, httponly=True, samesite="strict", secure=is_secure)
    return answer


@router.post("/sign-out", dependencies=[Depends(same_origin)])
def sign_out() -> Response:
    """Let the browser forget the key."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(KEY_COOKIE, httponly=True, samesite="strict")
    return answer


def _form(request: Request, target: str, mistake: str | None = None) -> Response:
    return page(request, "sign_in.html", asks=asks_for_keys(request), next=_own(target), mistake=mistake)


def _own(target: str) -> str:
    """A path of this server; whatever leads elsewhere becomes the first page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if is_path else "/"
