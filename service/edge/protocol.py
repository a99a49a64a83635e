"""HTTP/1.1 on one connection: uvicorn's protocol on llhttp, whose refusals are problem documents, too."""

from http import HTTPStatus

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.edge.problems import problem_of
from service.errors import HeadTooLarge, MalformedRequest, RankwardError, UrlTooLong

MOST_URL_BYTES = 2**16 - 1
"""Path and query of one request; places in a URL have 16 bits in the parser."""

MOST_HEAD_BYTES = 2**22
"""Request line and headers of one request, URL included; the parser itself knows no end. Far above the longest URL, so
that one that is too long is read whole: its sender is done sending by then, and hears what is wrong with it."""


class ProblemProtocol(HttpToolsProtocol):
    """One connection; pass the class to uvicorn as `http`."""

    _head_bytes = 0
    _in_head = False
    _refusal: RankwardError | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(
                HeadTooLarge(f"The headers of this request take over {MOST_HEAD_BYTES:,} bytes; send fewer or shorter.")
            )

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.url) > MOST_URL_BYTES:
            self._refusal = UrlTooLong(
                f"Path and query of this request take {len(self.url):,} bytes, and {MOST_URL_BYTES:,} are read; "
                "ask for less at a time."
            )
            raise httptools.HttpParserError("the URL is too long")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for all that the parser, or a callback above, cannot take."""
        self._refuse(self._refusal or MalformedRequest("This is not a request in HTTP/1.1 that can be read here."))

    def _refuse(self, error: RankwardError) -> None:
        self._in_head = False
        problem = problem_of(error)
        status = HTTPStatus(problem.status_code)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in problem.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", bytes(problem.body)]))
        self.transport.close()
