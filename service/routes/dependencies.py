"""What routes are given: the database, the limits, and a body within its size limit."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from service.edge.openapi import JSON, MERGE_PATCH
from service.errors import BeingStored, PayloadTooLarge, UnsupportedMediaType
from service.limits import exceeded
from service.settings import Limits
from service.store.database import Database

Answer = TypeVar("Answer")

SUBMISSIONS_AT_ONCE = {True: 16, False: 3}
"""Threads that check and store submissions, in one API process, by whether one writes at a time in its database: those
share transactions, and more of them only wait for each other. Of several that write each holds a connection."""


async def get_database(request: Request) -> Database:
    """The application's database. Not a plain function: each of those costs a request a turn of the thread pool."""
    return request.app.state.database


async def get_limits(request: Request) -> Limits:
    """The application's limits."""
    return request.app.state.limits


KEY_COOKIE = "rankward_key"
"""Holds the key that a person gave on the sign-in page; scripts cannot read it, other sites cannot have it sent."""


def presented_key(request: Request) -> str | None:
    """The API key of a request: of the header `Authorization: Bearer`, or else of the cookie of the pages."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else request.cookies.get(KEY_COOKIE)


async def read_body(request: Request) -> bytes:
    """The whole body; reading stops at the limit, so that a huge one costs neither memory nor time."""
    limits, body = await get_limits(request), bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.max_body_bytes:
            raise PayloadTooLarge(exceeded("The bytes of this body are at least", len(body), limits, "max_body_bytes"))
    return bytes(body)


async def get_body(request: Request) -> bytes:
    """The JSON body of a call."""
    _check_media_type(request, JSON)
    return await read_body(request)


async def get_patch(request: Request) -> bytes:
    """The JSON merge patch in the body of a call."""
    _check_media_type(request, JSON, MERGE_PATCH)
    return await read_body(request)


def _check_media_type(request: Request, *taken: str) -> None:
    """Take JSON that does not say it is something else, such as the form of another site's page."""
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in ("", *taken):
        types = " or ".join(f"'Content-Type: {type_}'" for type_ in taken)
        raise UnsupportedMediaType(f"The Content-Type is {given!r}; send JSON as {types}.")


LARGE_BODY_BYTES = 2**20
"""Bodies beyond it are large: their reading takes memory, and the interpreter's lock, for longer than others notice."""

LARGE_SUBMISSIONS_AT_ONCE = 1
"""Submissions with large bodies that are read at once in one API process; one of 14 MB takes half a gigabyte."""


SECONDS_FOR_ANOTHER, SECONDS_BETWEEN_TRIES = 45.0, 0.5
"""How long, and how often, the end of another request's storing is waited for: longer than it takes to see that its
process is gone."""


def large_submission_threads() -> CapacityLimiter:
    """What an application lets its submissions with large bodies through."""
    return CapacityLimiter(LARGE_SUBMISSIONS_AT_ONCE)


def submission_threads(database: Database) -> CapacityLimiter:
    """What an application lets its submissions through: in the order in which they came."""
    return CapacityLimiter(SUBMISSIONS_AT_ONCE[database.one_writes_at_a_time])


def text_threads() -> CapacityLimiter:
    """What an application lets its reading of YAML through, so that it holds up no submission: one after another, since
    several threads that compute take no less time together."""
    return CapacityLimiter(1)


async def run_reading(request: Request, act: Callable[[], Answer]) -> Answer:
    """The answer to a text that people edit, whose reading may take a second."""
    return await to_thread.run_sync(act, limiter=request.app.state.text_threads)


async def run_submission(request: Request, act: Callable[[], Answer], body_bytes: int = 0) -> Answer:
    """The answer to a submission, found in one of the threads for them; its body is whole by then.

    Large bodies, whose values take twenty times their bytes, are taken up one at a time. An experiment that another
    request is storing under the same idempotency key is waited for.
    """
    limiters = request.app.state.submission_threads, request.app.state.large_submission_threads
    deadline = time.monotonic() + SECONDS_FOR_ANOTHER
    while True:
        try:
            return await to_thread.run_sync(act, limiter=limiters[body_bytes > LARGE_BODY_BYTES])
        except BeingStored:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(SECONDS_BETWEEN_TRIES)  # holds no thread


DatabaseDependency = Annotated[Database, Depends(get_database)]
LimitsDependency = Annotated[Limits, Depends(get_limits)]
BodyDependency = Annotated[bytes, Depends(get_body)]
PatchDependency = Annotated[bytes, Depends(get_patch)]
