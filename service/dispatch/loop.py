"""The loop: gather facts, act on the plan, store what comes back. No computing, and no database session kept open."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue

from sqlalchemy.exc import OperationalError

from service.dispatch.cluster import Cluster
from service.dispatch.metrics import Reports
from service.dispatch.planner import Facts, Queue, StartSlice, plan
from service.settings import Settings
from service.store import leases
from service.store.database import Database
from service.store.leases import Lease
from service.store.slices import apply_slice, fail_slice
from workers.records import Budget, SliceResult

SECONDS_BETWEEN_TRIES = 1.0
"""Pause after the database did not answer."""

SECONDS_TO_FINISH = 15.0
"""How long a stopping dispatcher waits beyond a slice's length for slices in flight."""


@dataclass
class Dispatcher:
    """Hands waiting runs to the cluster, slice by slice.

    `run` loops until `stop` is called from another thread (or a signal handler), then stores the slices in flight.
    """

    database: Database
    cluster: Cluster
    settings: Settings
    _in_flight: dict[str, Lease] = field(default_factory=dict[str, Lease])
    _done: "SimpleQueue[tuple[Lease, Future[SliceResult]]]" = field(default_factory=SimpleQueue)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _last_served: dict[str, int] = field(default_factory=dict[str, int])
    _slices: int = 0
    _reports: Reports = field(default_factory=Reports)
    _renewed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def stop(self) -> None:
        """Start no more slices."""
        self._stopping.set()

    def run(self) -> None:
        """Dispatch until stopped."""
        while not self._stopping.is_set():
            self._patiently(self.tick)
        deadline = time.monotonic() + self.settings.slice_seconds + SECONDS_TO_FINISH
        while self._in_flight and time.monotonic() < deadline:
            self._patiently(self._store_finished)
        self._patiently(self._give_up_the_rest)

    def tick(self) -> None:
        """Store finished slices (waiting a moment for one), then start what the plan says."""
        self._store_finished()
        self._keep_leases()
        if not self._stopping.is_set():
            workers, in_flight = self.cluster.worker_count(), len(self._in_flight)
            self._reports.workers(workers, in_flight)
            idle, ahead = max(0, workers - in_flight), max(0, 2 * workers - max(workers, in_flight))
            if idle or ahead:
                for start in plan(self._facts(idle, ahead)):
                    self._start(start)

    def _patiently(self, act: Callable[[], None]) -> None:
        """Act; a database that is locked, full or gone loses nothing, so a later try can do what this one could not."""
        try:
            act()
        except OperationalError as error:
            self._reports.error("database", _describe(error))
            self._stopping.wait(SECONDS_BETWEEN_TRIES)

    def _facts(self, idle_workers: int, slices_ahead: int) -> Facts:
        with self.database.reading() as connection:
            rows = leases.waiting_queues(connection)
        return Facts([Queue(**row) for row in rows], idle_workers, slices_ahead, self._last_served)

    def _start(self, start: StartSlice) -> None:
        now, queue = datetime.now(UTC), start.queue
        with self.database.writing() as connection:
            lease = leases.lease_runs(
                connection, queue.batch_key, queue.batch_limit, start.runs, self._lease_end(now), now
            )
        if lease is None:
            return
        self._slices += 1
        self._last_served[queue.batch_key] = self._slices
        self._in_flight[lease.token] = lease
        self._reports.started(lease)
        future = self._submit(lease)
        future.add_done_callback(lambda done: self._done.put((lease, done)))

    def _submit(self, lease: Lease) -> "Future[SliceResult]":
        try:
            return self.cluster.submit(lease.batch, Budget(self.settings.slice_seconds))
        except Exception as error:  # for example a batch that cannot be sent: as if it had failed at the worker
            failed: Future[SliceResult] = Future()
            failed.set_exception(error)
            return failed

    def _store_finished(self) -> None:
        try:
            self._store(*self._done.get(timeout=self.settings.poll_seconds))
            while True:
                self._store(*self._done.get_nowait())
        except Empty:
            return

    def _store(self, lease: Lease, future: "Future[SliceResult]") -> None:
        try:
            self._write(lease, future)
        except OperationalError:
            self._done.put((lease, future))  # to be stored at the next try
            raise
        del self._in_flight[lease.token]

    def _write(self, lease: Lease, future: "Future[SliceResult]") -> None:
        try:
            result = future.result()
            with self.database.writing() as connection:
                apply_slice(connection, lease, result, datetime.now(UTC))
                self._reports.stored(connection, lease, result)
        except OperationalError:
            raise
        except CancelledError:  # the cluster lost the slice, which says nothing about its runs
            with self.database.writing() as connection:
                leases.release_lease(connection, lease.token)
            self._reports.lost(lease)
        except Exception as error:  # whatever a slice or its result did, it must not stop the others
            with self.database.writing() as connection:
                fail_slice(connection, lease, _describe(error), self.settings.most_attempts, datetime.now(UTC))
                self._reports.failed(connection, lease, _describe(error))

    def _keep_leases(self) -> None:
        now = datetime.now(UTC)
        if (now - self._renewed_at).total_seconds() < self.settings.lease_seconds / 4:
            return
        with self.database.writing() as connection:
            leases.renew_leases(connection, list(self._in_flight), self._lease_end(now))
            released = leases.release_expired(connection, now)
        self._renewed_at = now
        if released:
            self._reports.expired(released)

    def _give_up_the_rest(self) -> None:
        with self.database.writing() as connection:
            for token in self._in_flight:
                leases.release_lease(connection, token)

    def _lease_end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.settings.lease_seconds)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
