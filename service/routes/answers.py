"""How routes answer: streams, and what is unchanged since a client last saw it."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import orjson
from fastapi import Header, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from service.exports.formats import FORMATS
from service.use_cases.exports import Stream

VARIES = {"Vary": "Accept"}
THINNED = "Rankward-Thinned"
_END = object()


_HEADERS = {
    "Content-Disposition": "A name for the file; not in JSON.",
    "ETag": "Stands for the state of the run, for If-None-Match.",
    "Link": "Where the next page is, with rel=next.",
    THINNED: "`true` where points may have been left out because max_points asked for it.",
}


def answers_with(*headers: str, tables: bool = False) -> dict[int | str, dict[str, Any]]:
    """What a route documents of its success.

    Args:
        headers: those of its answers, of _HEADERS.
        tables: whether it answers in every format.
    """
    shown = {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in headers}
    kept: dict[str, Any] = {"headers": shown}
    if tables:
        binary = {"schema": {"type": "string", "format": "binary"}}
        kept["content"] = {format.media_type: binary for format in FORMATS.values() if format.name != "json"}
    return {200: kept}


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Unchanged since the given ETag"}}
IfNoneMatch = Annotated[str | None, Header(description="ETags of what the client has; 304 when one still holds.")]


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


def json_answer(value: Any, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """A value that needs no check any more as a JSON answer."""
    return Response(json_bytes(value), status, media_type="application/json", headers=headers)


def entity_tag(version: str, request: Request, media_type: str) -> dict[str, str]:
    """Headers of an answer that is the same while `version` is: a weak validator, for nothing is said of its bytes."""
    said = f"{version} {request.url.path}?{request.url.query} {media_type}"
    digest = hashlib.sha256(said.encode()).hexdigest()[:32]
    return {"ETag": f'W/"{digest}"', "Cache-Control": "no-cache", **VARIES}


def unchanged(if_none_match: str | None, headers: dict[str, str]) -> Response | None:
    """The answer 304 when If-None-Match names the ETag among the headers (weakly, RFC 9110, section 13.1.2)."""
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
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
