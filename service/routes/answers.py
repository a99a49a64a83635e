"""How routes answer: streams, and what is unchanged since a client last saw it."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from service.exports.formats import FORMATS
from service.use_cases.exports import Stream

VARIES = {"Vary": "Accept"}
THINNED = "Rankward-Thinned"
_END = object()


def stream_responses(schema: dict[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    """What a route that streams tables documents of its success."""
    media = {one.media_type: {"schema": {"type": "string", "format": "binary"}} for one in FORMATS.values()}
    media["application/json"] = {} if schema is None else {"schema": schema}
    headers = {
        "Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}},
        THINNED: {"description": "Whether points may have been left out.", "schema": {"type": "string"}},
    }
    return {200: {"content": media, "headers": headers}}


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged since the given ETag"}}


def stream(content: Stream, headers: dict[str, str] | None = None) -> StreamingResponse:
    """A stream as an answer; what it holds is given back as soon as the client is gone."""
    shown = {**VARIES, **(headers or {})}
    if content.format.name != "json":
        shown["Content-Disposition"] = f'attachment; filename="{content.name}"'
    if content.thinned is not None:
        shown[THINNED] = "true" if content.thinned else "false"
    return StreamingResponse(_chunks(content.chunks), media_type=content.format.media_type, headers=shown)


def json_bytes(value: Any) -> bytes:
    """JSON as all answers have it: times in UTC with a Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def json_answer(value: Any, headers: dict[str, str] | None = None) -> Response:
    """A value that needs no check any more as a JSON answer."""
    return Response(json_bytes(value), media_type="application/json", headers=headers)


def entity_tag(version: str, request: Request, media_type: str) -> dict[str, str]:
    """Headers of an answer that is the same while `version` is: a weak validator, for nothing is said of its bytes."""
    said = f"{version} {request.url.path}?{request.url.query} {media_type}"
    digest = hashlib.sha256(said.encode()).hexdigest()[:32]
    return {"ETag": f'W/"{digest}"', "Cache-Control": "no-cache", **VARIES}


def unchanged(request: Request, headers: dict[str, str]) -> Response | None:
    """The answer 304 when the client's If-None-Match names this ETag (weak comparison, RFC 9110, section 13.1.2)."""
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if "*" in known or headers["ETag"].removeprefix("W/") in known:
        return Response(status_code=304, headers=headers)
    return None


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header of a page (RFC 8288): the same query, after this page."""
    if cursor is None:
        return {}
    url = request.url.include_query_params(cursor=cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}


async def _chunks(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    try:
        while (chunk := await run_in_threadpool(next, chunks, _END)) is not _END:
            if chunk:
                yield chunk  # pyright: ignore[reportReturnType]
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
