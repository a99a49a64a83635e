"""Abandonment: a slice whose result nobody wants any more is given up, and the worker that computes it is replaced.

A worker cannot be interrupted within a step, a solve or a metric, some of which take minutes.
"""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from distributed import Client, Status
from distributed.core import rpc

from service.values.ids import new_id

SECONDS_TO_LEAVE = 0.5
"""How long a worker may take to end by itself before its nanny kills it."""

KEY_PREFIX = "slice"

_REASON = "its slice was abandoned"

_log = structlog.get_logger(__name__)


def slice_key() -> str:
    """A new key by which dask knows a slice."""
    return f"{KEY_PREFIX}-{new_id()}"


def abandon(client: Client, key: str, forget: Callable[[], Any]) -> None:
    """Give up a slice without waiting for it.

    Args:
        client: a connection to the scheduler.
        key: dask's key of the slice.
        forget: called at the end, whether or not the scheduler answered.
    """

    def act() -> None:
        try:
            worker = client.run_on_scheduler(_give_up, key=key)
            if worker is not None:
                _log.warning("a worker was replaced", worker=worker, reason=_REASON)
        except Exception as error:  # the scheduler is gone, and the slice with it
            _log.warning("a slice could not be abandoned", error=repr(error))
        finally:
            forget()

    threading.Thread(target=act, name="abandonment", daemon=True).start()


async def _give_up(dask_scheduler: Any, key: str) -> str | None:
    """Release a slice at the scheduler, and have its worker killed if that computes it; returns the worker's address.

    Slices that wait at that worker go to others, and are not to blame.
    """
    task = dask_scheduler.tasks.get(key)
    if task is None:
        return None
    worker = task.processing_on
    # Workers have one thread; which slice it computes they say with their heartbeats.
    if worker is not None and task not in worker.executing and len(worker.processing) > 1:
        worker = None
    for owner in list(task.who_wants or ()):
        dask_scheduler.client_releases_keys(keys=[key], client=owner.client_key, stimulus_id=_REASON)
    if worker is None:
        return None
    # A worker that is removed before it ends would take its nanny with it at its next heartbeat.
    dask_scheduler.handle_worker_status_change(Status.closing_gracefully, worker, _REASON)
    for waiting in worker.processing:
        waiting.suspicious -= 1  # the end of the worker adds one
    address = worker.address
    if worker.nanny is None:
        await dask_scheduler.remove_worker(address, stimulus_id=_REASON)
        return address
    async with rpc(worker.nanny, connection_args=dask_scheduler.connection_args) as nanny:
        await nanny.kill(reason=_REASON, timeout=SECONDS_TO_LEAVE)  # it starts another process
    return address
