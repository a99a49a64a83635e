"""The loop: gather facts, act on the plan, store what comes back. No computing, and no database session kept open."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from service.dispatch.cluster import Cluster
from service.dispatch.membership import Membership
from service.dispatch.metrics import Reports
from service.dispatch.pace import Pace
from service.dispatch.planner import MOST_RUNS_PER_BATCH, NO_PRIORITY, Facts, Queue, StartSlice, plan, room
from service.settings import Settings
from service.store import leases
from service.store.database import DATABASE_AWAY, Database, describe
from service.store.dispatchers import Deposed, Needs
from service.store.leases import Lease
from service.store.slices import apply_slice, fail_slice
from service.values.queues import QueueKey
from workers.records import Budget
from workers.results import SliceResult

SECONDS_BETWEEN_TRIES = 1.0
"""Pause after the database did not answer."""

SECONDS_BETWEEN_SWEEPS = 15.0
"""Interval between searches for runs that are leased but in no slice in flight."""

SECONDS_BETWEEN_LOOKS = 1.0
"""Interval between looks at slices that take too long."""

SLICES_TO_WAIT = 2.0
"""Lengths of a slice after which one that nobody wants is given up; it may have waited for one behind another."""

SECONDS_OF_GRACE = 1.0
"""Time beyond that: slices end near their length, and a new worker takes some seconds to start."""

SECONDS_TO_FINISH = 15.0
"""Time that a stopping dispatcher waits for slices in flight, beyond the length of a slice."""


@dataclass(frozen=True)
class _Submitted:
    """A slice at the cluster: since when, by a steady clock, and the seconds for which it is to compute."""

    future: "Future[SliceResult]"
    at: float
    seconds: float


@dataclass
class Dispatcher:
    """Hands waiting runs to the cluster, slice by slice.

    `run` loops until `stopping` is set, then stores the slices in flight. All writes need the lease, so a dispatcher
    that was taken for dead changes nothing any more.
    """

    database: Database
    cluster: Cluster
    settings: Settings
    membership: Membership
    stopping: threading.Event = field(default_factory=threading.Event)
    _in_flight: dict[str, Lease] = field(default_factory=dict[str, Lease])
    _submitted: "dict[str, _Submitted]" = field(default_factory=dict[str, "_Submitted"])
    _abandoned: set[str] = field(default_factory=set[str])
    _looked_at: float = -SECONDS_BETWEEN_LOOKS
    _done: "SimpleQueue[tuple[Lease, Future[SliceResult]]]" = field(default_factory=SimpleQueue)
    _last_served: dict[QueueKey, int] = field(default_factory=dict[QueueKey, int])
    _share_last_served: dict[int, int] = field(default_factory=dict[int, int])
    _suspects: set[str] = field(default_factory=set[str])
    _slices: int = 0
    _reports: Reports = field(default_factory=Reports)
    _swept_at: float = -SECONDS_BETWEEN_SWEEPS
    _planned_at: float = float("-inf")
    _pace: Pace = field(default_factory=Pace)

    def run(self) -> None:
        """Dispatch until stopped; raises Deposed when the others took over."""
        while not self.stopping.is_set():
            self._patiently(self.tick)
        deadline = time.monotonic() + self._longest_submitted() + SECONDS_TO_FINISH
        while self._in_flight and time.monotonic() < deadline:
            self._patiently(self._store_finished)
        self._patiently(self._give_up_the_rest)

    def tick(self) -> None:
        """Store finished slices (waiting a moment for one), then start what the plan says."""
        self.membership.pulse()
        self._store_finished()
        self._sweep()
        self._give_up_unwanted()
        if not self.stopping.is_set() and time.monotonic() - self._planned_at >= self.settings.poll_seconds:
            self._plan()

    def _plan(self) -> None:
        """Start slices where there is room.

        After a start, `tick` waits `poll_seconds` for the next plan. Runs that arrive in the meantime then share a
        slice, whose transport costs more than a small run.
        """
        workers, in_flight = self.membership.part_of(self.cluster.worker_count()), len(self._in_flight)
        self._reports.workers(workers, in_flight)
        idle, ahead = room(workers, in_flight)
        starts = list(plan(self._facts(idle, ahead))) if idle or ahead else []
        cores = self._cores(workers, in_flight + len(starts))
        for start in starts:
            begun = time.monotonic()
            self._start(start, workers, cores)
            self._planned_at = time.monotonic()
            self._pace.leased(self._planned_at - begun)
        idle, _ = room(workers, len(self._in_flight))
        self.membership.tell(Needs(idle, len(self._suspects)))

    def _patiently(self, act: Callable[[], None]) -> None:
        """Act, or pause if the database is locked, full or gone: nothing is lost, and a later try repeats the act."""
        try:
            act()
        except DATABASE_AWAY as error:
            self._reports.error("database", describe(error))
            self._swept_at = -SECONDS_BETWEEN_SWEEPS  # a lost commit may have leased runs without telling us
            self.stopping.wait(SECONDS_BETWEEN_TRIES)

    def _facts(self, idle_workers: int, slices_ahead: int) -> Facts:
        with self.database.reading() as connection:
            others = self.membership.needs_of_others(connection)
            ahead = 0 if self._suspects or others.suspects else slices_ahead
            most = MOST_RUNS_PER_BATCH * (idle_workers + others.idle_workers + ahead)
            rows = leases.waiting_queues(connection, MOST_RUNS_PER_BATCH, most)
        queues = [Queue(key, row["waiting"], row["first_run"], row["numbers"]) for key, row in rows]
        return Facts(
            queues,
            idle_workers,
            ahead,
            self._last_served,
            self._share_last_served,
            max((lease.key.priority for lease in self._in_flight.values()), default=NO_PRIORITY),
            on_cores=not self.cluster.may_have_gpus(),
            idle_elsewhere=others.idle_workers,
        )

    def _cores(self, workers: int, slices: int) -> int:
        """Cores of each slice: its share of this machine's workers, some of which have nothing to do."""
        if self.settings.scheduler is not None or not slices:
            return 1
        return max(1, min(self.settings.most_cores_per_slice, workers // slices))

    def _start(self, start: StartSlice, workers: int, cores: int) -> None:
        key = start.queue.key
        with self.membership.writing() as connection:
            lease = leases.lease_runs(connection, key, start.runs, datetime.now(UTC), self.membership.token)
        if lease is None:
            return
        self._slices += 1
        self._last_served[key] = self._share_last_served[key.share] = self._slices
        self._in_flight[lease.token] = lease
        if key.batch_limit is not None:
            self._suspects.add(lease.token)
        self._reports.started(lease)
        shortest, longest = self.settings.slice_seconds, self.settings.longest_slice_seconds
        seconds = self._pace.length(shortest, longest, workers, lease.computed_seconds)
        future = self._submit(lease, Budget(seconds, cores=cores))
        self._submitted[lease.token] = _Submitted(future, time.monotonic(), seconds)
        future.add_done_callback(lambda done: self._done.put((lease, done)))

    def _submit(self, lease: Lease, budget: Budget) -> "Future[SliceResult]":
        try:
            return self.cluster.submit(lease.batch, budget)
        except Exception as error:  # for example a batch that cannot be sent; handled like a failure at the worker
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
        begun = time.monotonic()
        try:
            self._write(lease, future)
        except DATABASE_AWAY:
            self._done.put((lease, future))  # stored at the next try
            raise
        self._pace.stored(time.monotonic() - begun)
        del self._in_flight[lease.token]
        self._submitted.pop(lease.token, None)
        self._suspects.discard(lease.token)
        self._abandoned.discard(lease.token)

    def _write(self, lease: Lease, future: "Future[SliceResult]") -> None:
        try:
            result = future.result()
            with self.membership.writing() as connection:
                apply_slice(connection, lease, result, datetime.now(UTC))
                self._reports.stored(connection, lease, result)
        except (Deposed, *DATABASE_AWAY):
            raise
        except CancelledError:  # the cluster lost the slice, which says nothing about its runs
            with self.membership.writing() as connection:
                leases.release_lease(connection, lease.token)
            if lease.token not in self._abandoned:
                self._reports.lost(lease)
        except Exception as error:  # an error of any kind in a slice or its result must not stop the others
            with self.membership.writing() as connection:
                fail_slice(connection, lease, _describe(error), self.settings.most_attempts, datetime.now(UTC))
                self._reports.failed(connection, lease, _describe(error))

    def _sweep(self) -> None:
        """Release runs leased to no slice: by a dispatcher that is gone, or by a commit whose answer was lost."""
        if time.monotonic() - self._swept_at < SECONDS_BETWEEN_SWEEPS:
            return
        with self.membership.writing() as connection:
            released = leases.release_strays(connection, self.membership.token, list(self._in_flight))
        self._swept_at = time.monotonic()
        if released:
            self._reports.given_back(released)

    def _give_up_unwanted(self) -> None:
        """Give up slices that take too long and whose runs have all been cancelled, deleted or changed."""
        now, patience = time.monotonic(), SLICES_TO_WAIT * self._longest_submitted() + SECONDS_OF_GRACE
        late = [token for token, slice_ in self._submitted.items() if now - slice_.at > patience]
        late = [token for token in late if token not in self._abandoned]
        if not late or now - self._looked_at < SECONDS_BETWEEN_LOOKS:
            return
        self._looked_at = now
        with self.database.reading() as connection:
            wanted = leases.held_tokens(connection, late)
        for token in set(late) - wanted:
            self._abandoned.add(token)
            self._reports.abandoned(self._in_flight[token])
            self.cluster.abandon(self._submitted[token].future)

    def _longest_submitted(self) -> float:
        return max((slice_.seconds for slice_ in self._submitted.values()), default=0.0)

    def _give_up_the_rest(self) -> None:
        with self.membership.writing() as connection:
            for token in self._in_flight:
                leases.release_lease(connection, token)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
