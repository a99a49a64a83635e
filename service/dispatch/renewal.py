"""Renewal: a worker process that has kept much memory ends while it is idle, and its nanny starts another one.

Heavy runs leave memory behind: in caches, in the gaps of the allocator, in libraries. dask loads this module in every
worker and calls `dask_setup`.
"""

import asyncio
import sys
import time
from typing import Any

import dask.config
import psutil
from tornado.ioloop import PeriodicCallback

SECONDS_BETWEEN_LOOKS = 0.05
"""A busy worker is idle for a moment only, between the end of a slice and the next one."""

SECONDS_OF_A_HEARTBEAT = 0.5
"""Within it a heartbeat that is under way is answered."""

SHORTEST_LIFE_SECONDS = 60.0
"""A new process takes some seconds to start, and may need as much memory again at once."""

MOST_BYTES = "rankward.worker-memory-bytes"
"""Under this name dask's configuration has the limit, which reaches every worker with it."""


class Renewal:
    """Watches one worker.

    Args:
        worker: dask's worker.
        most_bytes: memory that an idle worker may keep.
    """

    def __init__(self, worker: Any, most_bytes: int) -> None:
        self._worker, self._most_bytes, self._since = worker, most_bytes, time.monotonic()
        self._process = psutil.Process()
        self._is_over = False

    def look(self) -> None:
        """Let the worker end if it is idle, keeps too much memory and has lived long enough."""
        if self._is_over or time.monotonic() - self._since < SHORTEST_LIFE_SECONDS:
            return
        if is_idle(self._worker) and kept_bytes(self._process) > self._most_bytes:
            self._is_over = True
            print(f"A worker keeps more than {self._most_bytes:,} bytes and is renewed.", file=sys.stderr)
            self._worker.loop.add_callback(renew, self._worker)


async def renew(worker: Any) -> None:
    """Take a worker out of the cluster and end it; its nanny starts another one.

    Heartbeats stop first: the scheduler's answer to one from a worker that it no longer has ends the nanny, too.
    """
    worker.periodic_callbacks["heartbeat"].stop()
    await asyncio.sleep(SECONDS_OF_A_HEARTBEAT)
    await worker.close_gracefully(restart=True, reason="renewal")


def is_idle(worker: Any) -> bool:
    """Whether a worker computes nothing and holds no result that has not been fetched."""
    return not worker.state.executing_count and not worker.data


def kept_bytes(process: psutil.Process) -> int:
    """Memory of a process without that of files and libraries, which it shares with others."""
    memory: Any = process.memory_info()
    return memory.rss - getattr(memory, "shared", 0)


def dask_setup(worker: Any) -> None:
    """Called by dask when a worker starts."""
    renewal = Renewal(worker, int(dask.config.get(MOST_BYTES)))
    callback = PeriodicCallback(renewal.look, 1000 * SECONDS_BETWEEN_LOOKS)
    worker.loop.add_callback(callback.start)
