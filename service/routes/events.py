"""/v1/experiments/{id}/events"""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from service.edge.event_streams import EventStreams, Stream
from service.edge.problems import RESPONSES
from service.routes.dependencies import DatabaseDependency
from service.settings import Settings
from service.use_cases.events import FROM_THE_START, check_position
from workers.runs.base import LARGEST_INTEGER

router = APIRouter(prefix="/v1/experiments/{experiment_id}/events", tags=["experiments"], responses=RESPONSES)

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_MEDIA_TYPE = "text/event-stream"
_STREAM = {"description": "The events", "content": {_MEDIA_TYPE: {}}}
_NOTHING_MORE = {"description": "The client has seen `done`, and nothing has changed since: connect no more"}


class EventParameters(BaseModel):
    """Query of events."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[
        int | None,
        Field(ge=FROM_THE_START, le=LARGEST_INTEGER, description="The last event seen, where no `Last-Event-ID` is."),
    ] = None


def last_seen(
    database: DatabaseDependency,
    experiment_id: str,
    query: Annotated[EventParameters, Query()],
    last_event_id: Annotated[str | None, Header()] = None,
) -> int | None:
    """The id of the last event that the client has seen; None when there is nothing more to come."""
    after = FROM_THE_START if query.after is None else query.after
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        after = _event_number(last_event_id)
    return after if check_position(database, experiment_id, after) else None


def _event_number(digits: str) -> int:
    """Of any length: Python itself refuses to read thousands of digits."""
    significant = digits.lstrip("0") or "0"
    return LARGEST_INTEGER if len(significant) > len(str(LARGEST_INTEGER)) else min(int(significant), LARGEST_INTEGER)


async def opened_stream(
    request: Request, experiment_id: str, after: Annotated[int | None, Depends(last_seen)]
) -> AsyncGenerator[Stream | None]:
    """The stream of a request, open until its answer has been sent or its client is gone."""
    if after is None:
        yield None
        return
    streams: EventStreams = request.app.state.event_streams
    with streams.opened(experiment_id, after) as stream:
        yield stream


@router.get("", response_class=StreamingResponse, responses={200: _STREAM, 204: _NOTHING_MORE})
async def follow(request: Request, stream: Annotated[Stream | None, Depends(opened_stream)]) -> Response:
    """Follow an experiment as server-sent events, from the start or after `Last-Event-ID`.

    `run`: a run ended, or is to go on (its id, index, status, outcome, step, error). `progress`: the counts of runs by
    status, after every slice. `done`: no run is left to wait for; the stream ends. Ids are numbers that rise.
    """
    if stream is None:
        return Response(status_code=204)
    settings: Settings = request.app.state.settings
    return StreamingResponse(stream.chunks(settings.heartbeat_seconds), headers=_HEADERS, media_type=_MEDIA_TYPE)
