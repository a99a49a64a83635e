"""How a call is made: answered as JSON, page by page, as an Arrow table, or into a file."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import urlencode

from service.client.plain import plain
from service.client.transport import Transport
from service.exports.arrow_types import Table
from service.values.extras import check_installed

Json = dict[str, Any]
Names = str | Iterable[str] | None
DEFAULT_URL = "http://127.0.0.1:8000"
LONGEST_QUERY = 4000
"""Characters of a query in a URL; proxies take URLs of 8000."""
_QUERIED = ("/v1/runs", "/v1/trajectories")
"""Lists that can be asked for in a body."""
BYTES_AT_ONCE = 2**20


class Calls:
    """Calls of a server over connections that are kept open; `Rankward` says what the arguments are."""

    def __init__(
        self, url: str = DEFAULT_URL, api_key: str | None = None, *, transport: Transport | None = None
    ) -> None:
        self.url = url
        self._transport = transport or Transport(url, api_key or os.environ.get("RANKWARD_API_KEY"))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pages(self, path: str, **parameters: Any) -> Iterator[Json]:
        wanted = given(**parameters)
        while True:
            method, target, query = list_request(path, wanted)
            page = self._json(method, target, repeatable=True, **query)
            yield from page["items"]
            if page["next"] is None:
                return
            wanted["cursor"] = page["next"]

    def _table(self, path: str, **parameters: Any) -> Table:
        check_installed("arrow", "A table")
        import pyarrow as pa

        method, target, query = list_request(path, given(format="arrow", **parameters))
        content = self._transport.request(method, target, repeatable=True, **query).content
        return pa.ipc.open_stream(content).read_all()

    def _json(self, method: str, path: str, **arguments: Any) -> Any:
        return self._transport.request(method, path, **arguments).json()

    def _write(self, file: Path, method: str, path: str, **query: Any) -> int:
        """Write an answer to a file, which is there only when all of it has come; returns its bytes."""
        unfinished, written = file.with_name(f"{file.name}.part"), 0
        try:
            with self._transport.stream(path, method, **query) as chunks, unfinished.open("wb") as output:
                for chunk in chunks:
                    written += output.write(chunk)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
        return written


def pieces(content: BinaryIO) -> Iterator[bytes]:
    """A file from its start, some of it at a time."""
    content.seek(0)
    return iter(lambda: content.read(BYTES_AT_ONCE), b"")


def given(**parameters: Any) -> Json:
    """Parameters that were given, as plain values."""
    return {name: plain(value, (name,)) for name, value in parameters.items() if value is not None}


def list_request(path: str, parameters: Json) -> tuple[str, str, Json]:
    """Method, path and arguments of a request for a list; a long query goes into a body, for proxies cut URLs."""
    if path in _QUERIED and len(urlencode(parameters)) > LONGEST_QUERY:
        return "POST", f"{path}/query", {"json": parameters}
    return "GET", path, {"params": parameters}


def listed(names: Names) -> str | None:
    """Names as one comma-separated text."""
    return names if names is None or isinstance(names, str) else ",".join(plain(names))
