"""Deadlines: how long a client may take to send a request, and how many clients may be connected at once."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from service.settings import Settings

_LAST_LOOK_SECONDS = 0.5
"""Between a deadline and what follows: what came while this process was busy is read meanwhile."""

_SECONDS_BETWEEN_LINES = 10.0
_DESCRIPTORS_KEPT = 128
"""For database, log, and what else is opened while every connection is taken; half of them where there are few."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds within which a request must arrive.

    Attributes:
        head: for request line and headers, and for the first byte of a connection.
        body: for the body, and a second more for each `bytes_per_second` that have come.
    """

    head: float = 15.0
    body: float = 30.0
    bytes_per_second: float = 10_000.0


class Deadline:
    """A moment by which something must have happened, else `expire` is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[], None]) -> None:
        self._loop, self._expire = loop, expire
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Move it so far into the future."""
        self.clear()
        self._timer = self._loop.call_later(seconds, self._look_once_more)

    def clear(self) -> None:
        """It happened in time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_once_more(self) -> None:
        self._timer = self._loop.call_later(_LAST_LOOK_SECONDS, self._expire)


class Gate:
    """Lets so many clients in at once, and says in the log when others were refused.

    Args:
        most: connections at once.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._refused = 0
        self._said_at = -_SECONDS_BETWEEN_LINES

    def lets_in(self, connections: int) -> bool:
        """Whether there is room, given how many there are with the new one."""
        if connections <= self.most:
            return True
        self._refused += 1
        now = time.monotonic()
        if now - self._said_at >= _SECONDS_BETWEEN_LINES:
            _log.warning("connections were refused", refused=self._refused, max_connections=self.most)
            self._refused, self._said_at = 0, now
        return False


def most_connections(settings: Settings, open_files: int) -> int:
    """Connections that one process may hold: as the settings say, and not more than its limit of open files bears."""
    return max(1, min(settings.max_connections, open_files - min(_DESCRIPTORS_KEPT, open_files // 2)))
