"""Errors as pages, where a person asked; what they say is what the problem document says."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from service.web.rendering import page

Handler = Callable[[Request, Any], Response | Awaitable[Response]]

PAGES = ("/experiments", "/runs", "/compare", "/new", "/sign-in")
"""First parts of the paths at which there are pages."""


def install(app: FastAPI) -> None:
    """Answer errors of an application with pages where pages are asked for; call after the problems' install."""
    for kind, plain in tuple(app.exception_handlers.items()):
        app.add_exception_handler(kind, _as_page(plain))


def _as_page(plain: Handler) -> Handler:
    async def handle(request: Request, error: Any) -> Response:
        answer = plain(request, error)
        answer = await answer if isawaitable(answer) else answer
        return _page_of(request, error, answer) if _wants_page(request) else answer

    return handle


def _wants_page(request: Request) -> bool:
    path, accepts = request.url.path, request.headers.get("accept", "")
    return path == "/" or path.startswith(PAGES) or ("text/html" in accepts and not path.startswith("/v1"))


def _address_after(request: Request) -> str:
    """Where a person goes after signing in: to the whole address, or to the page whose form was sent."""
    try:
        url = request.url if request.method == "GET" else urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    path = url.path.removeprefix(request.app.state.settings.root_path) or "/"
    return f"{path}?{url.query}" if url.query else path


def _page_of(request: Request, error: Any, answer: Response) -> Response:
    problem = orjson.loads(answer.body)
    if problem["status"] == 401:
        return RedirectResponse(f"/sign-in?next={quote(_address_after(request), safe='')}", 303)
    if isinstance(error, HTTPException) and error.status_code == 404:
        problem["detail"] = "There is no page at this address."
    return page(request, "problem.html", problem["status"], problem=problem)
