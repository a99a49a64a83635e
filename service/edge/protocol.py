"""HTTP/1.1 on one connection: uvicorn's protocol on llhttp, whose refusals are problem documents, too."""

import asyncio
import time
from http import HTTPStatus
from typing import Any, ClassVar, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.edge.deadlines import Deadline, Gate, Patience
from service.edge.problems import problem_of
from service.errors import HeadTooLarge, MalformedRequest, NotReady, RankwardError, TooSlow, UrlTooLong

MOST_URL_BYTES = 2**16 - 1
"""Path and query of one request; places in a URL have 16 bits in the parser."""

MOST_HEAD_BYTES = 2**22
"""Request line and headers of one request, URL included; the parser itself knows no end. Far above the longest URL, so
that one that is too long is read whole: its sender is done sending by then, and hears what is wrong with it."""

SECONDS_FOR_BODIES_AT_THE_END = 3.0
"""For what is still being sent when the server ends; well below the seconds that all requests have to finish."""


class ProblemProtocol(HttpToolsProtocol):
    """One connection; pass a subclass that `protocol` made to uvicorn as `http`."""

    patience: ClassVar[Patience]
    gate: ClassVar[Gate]

    _head_bytes = 0
    _body_bytes = 0
    _in_head = False
    _in_body = False
    _awaits: Literal["head", "body"] | None = None
    _since = 0.0
    _is_ending = False
    _refusal: RankwardError | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline = Deadline(self.loop, self._expire)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.gate.lets_in(len(self.connections)):
            self._await()
        else:
            self._refuse(NotReady(f"This process has {self.gate.most:,} connections, as many as it takes; try again."))

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        self._body_bytes = self._body_bytes + len(data) if self._in_body else 0
        if self.transport.is_closing():
            return
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(
                HeadTooLarge(f"The headers of this request take over {MOST_HEAD_BYTES:,} bytes; send fewer or shorter.")
            )
        else:
            self._await()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        if len(self.url) > MOST_URL_BYTES:
            self._refusal = UrlTooLong(
                f"Path and query of this request take {len(self.url):,} bytes, and {MOST_URL_BYTES:,} are read; "
                "ask for less at a time, or by POST /v1/runs/query or /v1/trajectories/query, which take it in a body."
            )
            raise httptools.HttpParserError("the URL is too long")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for all that the parser, or a callback above, cannot take."""
        self._refuse(self._refusal or MalformedRequest("This is not a request in HTTP/1.1 that can be read here."))

    def shutdown(self) -> None:
        """Called by uvicorn when the server ends: what is still being sent has a moment left."""
        self._is_ending = True
        if self._awaits == "body":
            self._deadline.set(SECONDS_FOR_BODIES_AT_THE_END)
        super().shutdown()

    def _await(self) -> None:
        """Set the deadline of what must come next; nothing need come while an answer is under way."""
        is_answering = bool(self.cycle and not self.cycle.response_complete)
        awaits = "body" if self._in_body else None if is_answering else "head"
        if awaits == self._awaits:
            return
        self._awaits, self._since = awaits, time.monotonic()
        if awaits is None:
            self._deadline.clear()
        else:
            self._deadline.set(self.patience.head if awaits == "head" else self.patience.body)

    def _expire(self) -> None:
        if self.transport.is_closing():
            return
        if (left := self._seconds_left()) > 0:
            self._deadline.set(left)
        elif (self._awaits == "head" and not self._in_head) or (self._in_body and self.cycle.response_started):
            self.transport.close()  # nothing was asked, or the answer is there already
        else:
            part = "headers" if self._awaits == "head" else "body"
            self._refuse(TooSlow(f"The {part} of this request did not come in time; send it again."))

    def _seconds_left(self) -> float:
        """A body has longer the more of it has come, and its time stands still while this end does not read."""
        if self._awaits != "body" or self._is_ending:
            return 0.0
        allowed = self.patience.body + self._body_bytes / self.patience.bytes_per_second
        return self.patience.body if self.flow.read_paused else self._since + allowed - time.monotonic()

    def _refuse(self, error: RankwardError) -> None:
        self._in_head = self._in_body = False
        self._deadline.clear()
        problem = problem_of(error)
        status = HTTPStatus(problem.status_code)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in problem.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", bytes(problem.body)]))
        self.transport.close()


def protocol(patience: Patience, most_connections: int) -> type[ProblemProtocol]:
    """The class of the connections of one process."""
    return type("Connection", (ProblemProtocol,), {"patience": patience, "gate": Gate(most_connections)})
