"""Turns: the writers of a process, one after another in the order in which they came."""

import threading
from collections import deque

from sqlalchemy.exc import TimeoutError as PoolTimeout


class Turns:
    """A lock that goes to whoever has waited longest.

    SQLite has no queue of its own: who finds the database locked sleeps up to 0.1 s and tries again, so that among many
    threads some would wait for seconds. Here one thread at a time goes and waits for the writers of other processes.

    Args:
        patience_seconds: how long a writer waits for its turn.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._guard = threading.Lock()
        self._line: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        """Wait for one's turn; raises sqlalchemy.exc.TimeoutError when it does not come."""
        mine = threading.Lock()
        mine.acquire()
        with self._guard:
            self._line.append(mine)
            if len(self._line) == 1:
                mine.release()
        if not mine.acquire(timeout=self._patience_seconds):
            self._leave(mine)

    def __exit__(self, *_exception: object) -> None:
        with self._guard:
            self._line.popleft()
            if self._line:
                self._line[0].release()

    def _leave(self, mine: threading.Lock) -> None:
        """Give up, unless the turn came just now."""
        with self._guard:
            if self._line[0] is mine:
                return
            self._line.remove(mine)
        raise PoolTimeout(f"Other writers of this process have had the database for {self._patience_seconds:g} s.")
