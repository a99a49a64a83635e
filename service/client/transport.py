"""How the client speaks HTTP: what is tried again and when, and refusals as errors."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from service.errors import RankwardError
from service.values.addresses import is_this_machine

TRIES = 5
"""How often a request is tried when the server cannot be reached or is busy."""
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
BUSY = (429, 503)
_SAFE = ("GET", "HEAD", "PUT", "DELETE")


class ServerSaidNo(RankwardError):
    """The server refused the request"""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        lines = [_line(error) for error in problem.get("errors") or []]
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
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        http: httpx2.BaseTransport | None = None,
    ) -> None:
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._url = url
        self._sleep = sleep
        self._http = httpx2.Client(base_url=url, timeout=60, headers=headers, transport=http, mounts=_direct(url))

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
    def stream(self, path: str, **arguments: Any) -> Generator[Iterator[bytes]]:
        """The content of a resource as it comes; only the beginning is tried again."""
        with self._sent("GET", path, repeatable=True, **arguments) as response:
            try:
                yield response.iter_bytes()
            except httpx2.TransportError as error:
                raise ServerUnreachable(f"{self._url} broke off in the middle ({error}); ask again.") from None

    @contextmanager
    def _sent(self, method: str, path: str, repeatable: bool, **arguments: Any) -> Generator[httpx2.Response]:
        response = self._tried(method, path, repeatable or method in _SAFE, **arguments)
        try:
            if response.is_error:
                response.read()
                raise ServerSaidNo(_problem(response))
            yield response
        finally:
            response.close()

    def _tried(self, method: str, path: str, repeatable: bool, **arguments: Any) -> httpx2.Response:
        for left in reversed(range(TRIES)):
            wait = min(FIRST_WAIT_SECONDS * 2 ** (TRIES - 1 - left), LONGEST_WAIT_SECONDS)
            try:
                response = self._http.send(self._http.build_request(method, path, **arguments), stream=True)
            except httpx2.TransportError as error:
                if not left or not (repeatable or isinstance(error, httpx2.ConnectError)):
                    raise self._unreachable(error) from None
            else:
                if response.status_code not in BUSY or not left:
                    return response
                response.close()
                wait = _retry_after(response) or wait
            self._sleep(wait)
        raise AssertionError("unreachable")

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        return ServerUnreachable(
            f"No server answers at {self._url} ({error}); start one with `rankward serve`, or give --url."
        )


def _direct(url: str) -> dict[str, None]:
    """Which hosts no proxy of the environment is asked for: this machine, to which none leads."""
    host = httpx2.URL(url).host
    shown = f"[{host}]" if ":" in host else host
    return {f"all://{shown}": None} if is_this_machine(host) else {}


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that a busy server asks to wait; a date in their place is not read."""
    try:
        return min(max(float(response.headers.get("retry-after", "")), 0.0), LONGEST_WAIT_SECONDS)
    except ValueError:
        return None


def _line(error: Mapping[str, Any]) -> str:
    shown = f"\n{error['excerpt']}" if "excerpt" in error else ""
    return f"{error.get('pointer') or '/'}: {error['detail']}{shown}"


def _problem(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        return response.json()
    except ValueError:
        return {"detail": f"The server answered {response.status_code}: {response.text[:200]}"}
