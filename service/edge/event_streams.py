"""Event streams: one thread reads the events that the clients of this process wait for, however many they are.

It asks once per poll which experiments have a new revision, and reads what changed once for all clients that have seen
the same. What it reads it hands to the event loop, so a waiting client costs a queue and no thread. A client that does
not take what it is sent is passed over until it does; it then gets what has changed since, so its queue stays short.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from sqlalchemy.exc import SQLAlchemyError

from service.errors import NotReady
from service.store.database import Database
from service.store.revisions import read_revisions
from service.use_cases.events import Reading, read_events

MILLISECONDS_TO_RECONNECT = 1000
MOST_CHUNKS_WAITING = 4

_log = structlog.get_logger(__name__)


class Stream:
    """What one client waits for; `after` and `revision` belong to the reading thread, the queue to the event loop."""

    def __init__(self, experiment_id: str, after: int) -> None:
        self.experiment_id = experiment_id
        self.after = after
        self.revision: int | None = None
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()

    @property
    def takes_more(self) -> bool:
        """Whether the client has taken nearly all that it was sent."""
        return self._chunks.qsize() < MOST_CHUNKS_WAITING

    def put(self, chunk: bytes | None) -> None:
        """Send bytes, or None to end; to be called from any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)

    async def chunks(self, heartbeat_seconds: float) -> AsyncIterator[bytes]:
        """What to send, until the end; a comment now and then, so that nobody takes the connection for dead."""
        yield format_sse_event(retry=MILLISECONDS_TO_RECONNECT)
        while True:
            try:
                chunk = await asyncio.wait_for(self._chunks.get(), heartbeat_seconds)
            except TimeoutError:
                chunk = KEEPALIVE_COMMENT
            if chunk is None:
                return
            yield chunk


class EventStreams:
    """The streams of one process."""

    def __init__(self, database: Database, poll_seconds: float, most: int) -> None:
        self._database, self._poll_seconds, self._most = database, poll_seconds, most
        self._streams: set[Stream] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def opened(self, experiment_id: str, after: int) -> Generator[Stream]:
        """A stream of the events after an id, for as long as the context lasts; raises NotReady."""
        stream = Stream(experiment_id, after)
        with self._changed:
            self._check_room()
            self._streams.add(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._read_on, name="events", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield stream
        finally:
            with self._changed:
                self._streams.discard(stream)

    def close(self) -> None:
        """End all streams and open no more; may be called from a signal handler."""
        self._closed = True
        for stream in tuple(self._streams):
            stream.put(None)

    def _check_room(self) -> None:
        if self._closed:
            raise NotReady("The server is ending; connect again in a moment.")
        if len(self._streams) >= self._most:
            raise NotReady(
                f"This process has {self._most:,} event streams open, its limit max_event_streams; close some, start "
                "another `rankward api`, or raise the limit by starting the service with RANKWARD_MAX_EVENT_STREAMS."
            )

    def _read_on(self) -> None:
        while not self._closed:
            with self._changed:
                if not self._changed.wait_for(lambda: self._streams, timeout=1):
                    continue
                streams = tuple(self._streams)
            has_more = False
            try:
                has_more = self._serve(streams)
            except SQLAlchemyError as error:  # locked, full or gone: what there is to tell is read at a later poll
                _log.warning("events cannot be read", error=str(error))
            with self._changed:
                if not has_more and self._streams.issubset(streams):
                    self._changed.wait(self._poll_seconds)

    def _serve(self, streams: tuple[Stream, ...]) -> bool:
        """Send what is new; whether there was more of it than is read in one go."""
        with self._database.reading() as connection:
            revisions = read_revisions(connection, {stream.experiment_id for stream in streams})
        waiting: defaultdict[tuple[str, int], list[Stream]] = defaultdict(list)
        for stream in streams:
            if stream.revision != revisions.get(stream.experiment_id, -1) and stream.takes_more:
                waiting[stream.experiment_id, stream.after].append(stream)
        has_more = False
        for (experiment_id, after), together in waiting.items():
            with self._database.reading() as connection:
                reading = read_events(connection, experiment_id, after)
            _hand_out(reading, together)
            has_more |= reading is not None and reading.revision is None
        return has_more


def _hand_out(reading: Reading | None, streams: list[Stream]) -> None:
    chunk = b"".join(event.frame() for event in reading.events) if reading else b""
    for stream in streams:
        if reading is not None and reading.events:
            stream.after = reading.events[-1].id
            stream.put(chunk)
        stream.revision = -1 if reading is None else reading.revision
        if reading is None or reading.is_over:
            stream.put(None)
