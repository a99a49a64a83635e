"""A cluster that others run: a dask scheduler at an address, which may go away and come back."""

import threading
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import structlog
from distributed import Client
from distributed.comm.core import CommClosedError

from service.dispatch.abandonment import abandon, slice_key
from service.dispatch.configuration import configure_dask, security_of
from service.settings import Settings
from workers.records import Batch, Budget
from workers.results import SliceResult
from workers.slices import run_slice

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_CLOSE = 1.0

_LOST = (CancelledError, CommClosedError, OSError, TimeoutError)
"""Errors of a slice's future when the connection to the scheduler was lost; the slice is not to blame."""

_log = structlog.get_logger(__name__)


class Connection(Client):
    """A dask client that can be discarded safely.

    A plain dask client closes itself on garbage collection, in any thread. In a thread that is starting the next
    client, it waits for ever for a lock which that thread holds. A client that fails to start leaks its thread.
    """

    def start(self, **arguments: Any) -> None:
        """Connect; after a failure no thread is left behind."""
        try:
            super().start(**arguments)
        except BaseException:
            self._end()
            raise

    def give_up(self) -> None:
        """Close within SECONDS_TO_CLOSE, gracefully if possible."""
        try:
            self.close(timeout=SECONDS_TO_CLOSE)
        except Exception:  # the connection is given up anyway
            self._end()

    def _end(self) -> None:
        self.status = "closed"
        self._loop_runner.stop()

    def __del__(self) -> None:
        """Do nothing, unlike dask's client (see the class)."""


class ExternalDaskCluster:
    """Workers behind a scheduler's address.

    A separate thread maintains the connection, so that the dispatcher never waits for the network. It connects, counts
    the workers every second, and drops a connection that is silent for `cluster_timeout_seconds`. Slices in flight are
    then cancelled, and computed again once there are workers.

    Raises:
        UnsafeCluster: the address would be open to everybody.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.scheduler is not None
        configure_dask(settings)
        self._address, self._patience = settings.scheduler, settings.cluster_timeout_seconds
        self._security = security_of(settings, self._address)
        self._lock = threading.Lock()
        self._client: Connection | None = None
        self._workers = 0
        self._in_flight: dict[Future[SliceResult], str] = {}
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep_connected, name="cluster", daemon=True)
        self._keeper.start()

    def worker_count(self) -> int:
        return self._workers

    def may_have_gpus(self) -> bool:
        return True  # unknown: the workers are not asked for their devices

    def submit(self, batch: Batch, budget: Budget) -> "Future[SliceResult]":
        promised: Future[SliceResult] = Future()
        key = slice_key()
        with self._lock:
            client = self._client
            if client is None:
                return _cancelled(promised)
            self._in_flight[promised] = key
        try:
            computing = client.get_executor(pure=False, retries=0).submit(run_slice, batch, budget, key=key)
        except Exception as error:
            if client is self._client and not isinstance(error, _LOST):
                with self._lock:
                    self._in_flight.pop(promised, None)
                raise  # the slice is to blame: it cannot be sent
            self._settle(promised)
            return promised
        computing.add_done_callback(partial(self._settle, promised))
        return promised

    def abandon(self, slice_: "Future[SliceResult]") -> None:
        with self._lock:
            client, key = self._client, self._in_flight.get(slice_)
        if client is not None and key is not None:
            abandon(client, key, partial(self._settle, slice_))

    def close(self) -> None:
        self._closing.set()
        self._keeper.join(self._patience + SECONDS_TO_CLOSE)
        self._drop()

    def _keep_connected(self) -> None:
        answered = True
        while not self._closing.is_set():
            try:
                self._look(self._client or self._connect())
                answered = True
            except Exception as error:  # a connection may fail with any error, including tornado's ValueError
                if answered:
                    _log.warning("the scheduler does not answer", address=self._address, error=repr(error))
                answered = False
                self._drop()
            self._closing.wait(SECONDS_BETWEEN_LOOKS)

    def _connect(self) -> Connection:
        client = Connection(
            self._address,
            security=self._security,
            timeout=self._patience,
            set_as_default=False,
            name="rankward-dispatcher",
        )
        self._client = client
        _log.info("connected to the cluster", address=self._address)
        return client

    def _look(self, client: Connection) -> None:
        """Count the scheduler's workers; raises CommClosedError for a reconnecting client, whose slices are lost."""
        if client.status != "running":
            raise CommClosedError(f"the client is {client.status}")
        scheduler: Any = client.scheduler
        threads: Any = client.sync(scheduler.ncores, callback_timeout=self._patience)
        if len(threads) != self._workers:
            _log.info("workers of the cluster", workers=len(threads), before=self._workers)
        self._workers = len(threads)

    def _drop(self) -> None:
        with self._lock:
            client, self._client, self._workers = self._client, None, 0
            lost, self._in_flight = self._in_flight, {}
        for promised in lost:
            _cancelled(promised)
        if client is not None:
            client.give_up()

    def _settle(self, promised: "Future[SliceResult]", done: "Future[SliceResult] | None" = None) -> None:
        """Pass on the result or error of a slice, unless its connection was given up before."""
        with self._lock:
            if promised not in self._in_flight:
                return
            del self._in_flight[promised]
        if done is None or done.cancelled() or isinstance(done.exception(), _LOST):
            _cancelled(promised)
        elif (error := done.exception()) is not None:
            promised.set_exception(error)
        else:
            promised.set_result(done.result())


def _cancelled(future: "Future[SliceResult]") -> "Future[SliceResult]":
    future.cancel()
    future.set_running_or_notify_cancel()
    return future
