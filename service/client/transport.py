"""How the client speaks HTTP: what is tried again and when, and refusals as errors."""

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from service.errors import RankwardError
from service.values.addresses import is_this_machine, url_host
from service.values.visible import visible

TRIES = 5
"""How often a request is tried when the server cannot be reached or is busy."""
TIMEOUT_SECONDS = 60.0
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
BUSY = (429, 503)
AWAY = (502, 504)
"""What a proxy answers while the server behind it is away; the request may have come through."""
SILENT = (*BUSY, *AWAY)
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_SAFE = ("GET", "HEAD", "PUT", "DELETE")

_log = logging.getLogger("rankward")


class ServerSaidNo(RankwardError):
    """The server refused the request

    Args:
        problem: the problem document.
        locate: what is shown for the JSON pointer of a mistake, such as the line of a file; the pointer itself when not
            given.
    """

    def __init__(self, problem: Mapping[str, Any], locate: Callable[[str], str] = str) -> None:
        lines = [_line(error, locate) for error in problem.get("errors") or []]
        super().__init__("\n".join(lines) or str(problem.get("detail", problem)))
        self.problem = problem


class ServerUnreachable(RankwardError):
    """No server answers"""


class Transport:
    """One server; requests to it are repeated where that does no harm.

    Args:
        url: where it listens.
        api_key: sent as a bearer token.
        sleep: waits so many seconds.
        http: in place of real connections.
        tries: how often a request is tried.
        timeout: seconds that one try may take.

    Attributes:
        has_answered: whether any answer has come from there.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        http: httpx2.BaseTransport | None = None,
        tries: int = TRIES,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self.has_answered = self._has_warned = False
        self._url = url
        self._sleep = sleep
        self._tries = tries
        secure = not url.lower().startswith("http://")  # to read the authorities takes longer than most answers
        self._http = httpx2.Client(
            base_url=url, timeout=timeout, headers=headers, transport=http, mounts=_direct(url), verify=secure
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(self, method: str, path: str, repeatable: bool = False, **arguments: Any) -> httpx2.Response:
        """The answer to a request.

        Args:
            repeatable: whether a POST may be sent again when it is not known if the first one came through.

        Raises:
            ServerSaidNo: the server refused it.
            ServerUnreachable: no answer came, however often it was tried.
        """
        with self._sent(method, path, repeatable, **arguments) as response:
            response.read()
            return response

    @contextmanager
    def stream(self, path: str, method: str = "GET", **arguments: Any) -> Generator[Iterator[bytes]]:
        """The content of a resource as it comes; only the beginning is tried again."""
        with self._sent(method, path, repeatable=True, **arguments) as response:
            try:
                yield response.iter_bytes()
            except httpx2.TransportError as error:
                raise ServerUnreachable(f"{self._url} broke off in the middle ({error}); ask again.") from None

    @contextmanager
    def _sent(self, method: str, path: str, repeatable: bool, **arguments: Any) -> Generator[httpx2.Response]:
        response, may_be_done = self._tried(method, path, repeatable or method in _SAFE, **arguments)
        try:
            if response.is_error and not (method == "DELETE" and response.status_code == 404 and may_be_done):
                response.read()
                raise ServerSaidNo(_problem(response))
            yield response
        finally:
            response.close()

    def _tried(self, method: str, path: str, repeatable: bool, **arguments: Any) -> tuple[httpx2.Response, bool]:
        """The answer, and whether the request may have come through already when an answer was lost before it."""
        may_be_done, retried = False, SILENT if repeatable else BUSY
        for left in reversed(range(self._tries)):
            wait = min(FIRST_WAIT_SECONDS * 2 ** (self._tries - 1 - left), LONGEST_WAIT_SECONDS)
            try:
                response = self._http.send(self._http.build_request(method, path, **arguments), stream=True)
            except httpx2.TransportError as error:
                if not left or not (repeatable or isinstance(error, httpx2.ConnectError)):
                    raise self._unreachable(error) from None
                may_be_done = may_be_done or not isinstance(error, _NOT_SENT)
                self._say_what_is_awaited(error)
            else:
                self.has_answered = True
                if response.status_code not in retried or not left:
                    return response, may_be_done
                may_be_done = may_be_done or response.status_code in AWAY
                response.close()
                wait = _retry_after(response) or wait
            self._sleep(wait)
        raise AssertionError("unreachable")

    def _say_what_is_awaited(self, error: Exception) -> None:
        """A warning, once and before any answer: most likely none comes, and nobody would know what is waited for."""
        if not (self.has_answered or self._has_warned):
            _log.warning("No server answers at %s yet (%s); trying again.", visible(self._url), visible(str(error)))
            self._has_warned = True

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        return ServerUnreachable(
            f"No server answers at {self._url} ({error}); start one with `rankward serve`, or give --url."
        )


def _direct(url: str) -> dict[str, None]:
    """Which hosts no proxy of the environment is asked for: this machine, to which none leads."""
    host = httpx2.URL(url).host
    return {f"all://{url_host(host)}": None} if is_this_machine(host) else {}


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that a busy server asks to wait; a date in their place is not read."""
    try:
        return min(max(float(response.headers.get("retry-after", "")), 0.0), LONGEST_WAIT_SECONDS)
    except ValueError:
        return None


def _line(error: Mapping[str, Any], locate: Callable[[str], str]) -> str:
    shown = f"\n{error['excerpt']}" if "excerpt" in error else ""
    return f"{locate(error.get('pointer') or '') or '/'}: {error['detail']}{shown}"


def _problem(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        said = response.json()
    except ValueError:
        said = None
    if isinstance(said, dict):
        return {"status": response.status_code, **said}
    return {
        "status": response.status_code,
        "detail": f"The server answered {response.status_code}: {response.text[:200]}",
    }
