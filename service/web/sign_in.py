"""/sign-in and /sign-out: where keys are asked for, a person gives theirs once, and the browser keeps it."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from service.errors import RankwardError
from service.routes.dependencies import KEY_COOKIE
from service.web.forms import Fields, same_origin
from service.web.rendering import page

CheckKey = Callable[[str], Any]
"""Takes a key and raises what says why it is none; `app.state.check_key`, None where no keys are asked for."""

router = APIRouter(include_in_schema=False)

SECONDS_KEPT = 30 * 24 * 3600


@router.get("/sign-in")
def ask(request: Request, next: Annotated[str, Query()] = "/") -> Response:
    """Ask for a key."""
    return _form(request, next)


@router.post("/sign-in")
def sign_in(request: Request, fields: Fields) -> Response:
    """Check a key and let the browser keep it."""
    key, target = fields.get("key", "").strip(), fields.get("next", "/")
    check: CheckKey | None = request.app.state.check_key
    if check is not None:
        try:
            check(key)
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
    asks = request.app.state.check_key is not None
    return page(request, "sign_in.html", asks=asks, next=_own(target), mistake=mistake)


def _own(target: str) -> str:
    """A path of this server; whatever leads elsewhere becomes the first page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if is_path else "/"
