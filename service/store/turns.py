"""Turns: the writers of a process, one after another in order of arrival."""

import threading
from collections import deque

from sqlalchemy.exc import TimeoutError as PoolTimeout


class Turns:
    """A lock that goes to the thread that has waited longest.

    SQLite has no queue: a writer of a locked database sleeps up to 0.1 s and tries again. Among many threads some would
    wait for seconds. With turns, one thread at a time waits for the writers of other processes.

    Args:
        patience_seconds: time that a writer waits for its turn.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._guard = threading.Lock()
        self._line: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        """Wait for the turn of this thread; raises sqlalchemy.exc.TimeoutError after `patience_seconds`."""
        turn = threading.Lock()
        turn.acquire()
        with self._guard:
            self._line.append(turn)
            if len(self._line) == 1:
                turn.release()
        if not turn.acquire(timeout=self._patience_seconds):
            self._leave(turn)

    def __exit__(self, *_exception: object) -> None:
        with self._guard:
            self._line.popleft()
            if self._line:
                self._line[0].release()

    def _leave(self, turn: threading.Lock) -> None:
        """Give up the turn, unless it came just now."""
        with self._guard:
            if self._line[0] is turn:
                return
            self._line.remove(turn)
        raise PoolTimeout(f"Other writers of this process have had the database for {self._patience_seconds:g} s.")
