"""The edge of the API: what happens to every request before routing, and to every answer before it leaves."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.edge.front import Front
from service.edge.problems import internal_problem, problem_of
from service.errors import CrossOrigin, NotReady, RankwardError, WrongHost
from service.settings import Settings
from service.values.addresses import host_name, is_loopback, is_outside
from service.values.ids import new_id

PROBES = ("/livez", "/readyz")
"""Open to probes, which call a pod by its address."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE")
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

_log = structlog.get_logger(__name__)


class Edge:
    """ASGI middleware: request ids, logs and metrics, the Host header, requests of other sites' pages, headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._keys_required = settings.keys_required
        self._hosts = settings.allowed_host_names
        self._front = Front(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        inside = self._front.inside(scope)
        exchange = _Exchange(scope["method"], inside, send, self._front)
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                self._check(scope, inside)
                await self._app(inside, receive, exchange.send)
            except RankwardError as error:
                await problem_of(error)(inside, receive, exchange.send)
            except ClientDisconnect:
                pass  # gone before the body was whole, or sent away as too slow: the report has a line of it
            except asyncio.CancelledError:
                _log.warning("a request was cut off as the server ends", method=scope["method"], path=inside["path"])
                if exchange.status is None:
                    await problem_of(NotReady("The server is ending; try again."))(inside, receive, exchange.send)
            except Exception as error:
                _log.exception("a request failed", method=scope["method"], path=inside["path"])
                if exchange.status is not None:
                    raise
                await internal_problem(error)(inside, receive, exchange.send)
            finally:
                exchange.report()

    def _check(self, scope: Scope, inside: Scope) -> None:
        headers, authorities = Headers(scope=scope), self._front.authorities(scope)
        if inside["path"] not in PROBES:
            for authority in authorities:
                self._check_host(scope, host_name(authority) or "")
        origin = headers.get("origin")
        foreign = origin is not None and not self._front.is_same_origin(origin, authorities)
        if scope["method"] not in _SAFE_METHODS and (foreign or headers.get("sec-fetch-site") == "cross-site"):
            raise CrossOrigin("A page of another site asked for this; only this server's own pages may.")

    def _check_host(self, scope: Scope, host: str) -> None:
        """DNS rebinding: a name of theirs that leads to our loopback, where no key stands in the way."""
        server = scope.get("server")
        guarded = self._keys_required or (server is not None and is_outside(server[0]))
        if host in self._hosts or is_loopback(host) or self._front.is_public_name(host):
            return
        if guarded and not self._hosts:
            return
        raise WrongHost(
            f"The Host header says {host!r}; this server answers to localhost, or set RANKWARD_ALLOWED_HOSTS={host}."
        )


class _Exchange:
    """One request and its answer, as it is seen from the edge.

    Args:
        method: as it came; the application sees GET in place of HEAD.
        scope: as the application sees it.
    """

    def __init__(self, method: str, scope: Scope, send: Send, front: Front) -> None:
        self.request_id = _request_id(Headers(scope=scope))
        self.status: int | None = None
        self._method, self._front = method, front
        self._scope, self._send, self._begun = scope, send, time.perf_counter()
        self._state: dict[str, Any] = scope.setdefault("state", {})

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._added(headers.get("content-type", "")):
                headers.setdefault(name, value)
            self._front.show_outside(headers)
            await self._send(message)
            if self._method == "HEAD":  # all there is to say; a stream takes the end of its answer for its client's
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif self._method != "HEAD":
            await self._send(message)

    def report(self) -> None:
        """One line in the log and one observation; reading is worth a line only where it fails."""
        seconds, status = time.perf_counter() - self._begun, self.status or 499
        method, route = self._method, _template(self._scope)
        metrics.REQUEST_SECONDS.labels(method if method in _METHODS else "other", route, str(status)).observe(seconds)
        say = _log.info if status >= 400 or method not in _SAFE_METHODS else _log.debug
        about = {"status": status, "seconds": round(seconds, 4)}
        if "key" in self._state:
            about["key"] = self._state["key"]
        say("request", method=method, path=self._scope["path"], route=route, **about)

    def _added(self, content_type: str) -> Iterable[tuple[str, str]]:
        yield "X-Request-ID", self.request_id
        yield from _HEADERS.items()
        yield "Content-Security-Policy", _PAGE_POLICY if content_type.startswith("text/html") else _DATA_POLICY
        if (rate := self._state.get("rate")) is not None:
            yield from rate.headers().items()


def _request_id(headers: Mapping[str, str]) -> str:
    """The caller's id, if it is one that a log line can carry, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else new_id()


def _template(scope: Scope) -> str:
    """The route's path as it is written in the OpenAPI document, so that there are few of them."""
    return getattr(scope.get("route"), "path", "unmatched")
