"""A cluster of up to 1000 workers, simulated around the real planner: `benchmarks.scaling` feeds it what it measured.

One dispatcher, one thread: it stores a finished slice, then another, then plans and leases; one scheduler through which
every batch and every result passes. Workers compute. Nothing else waits for anything.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field

from service.dispatch.planner import Facts, Queue, plan, room
from service.values.queues import QueueKey
from workers.runs.engines import BatchKey


@dataclass(frozen=True)
class SliceCosts:
    """What one slice of a workload takes.

    Attributes:
        runs: in one batch.
        compute: seconds of a worker.
        lease, store: seconds of the dispatcher, database included.
        message_bytes: batch and result together, as they are sent.
        run_steps: steps times runs that the slice takes its runs further.
    """

    name: str
    runs: int
    compute: float
    lease: float
    store: float
    message_bytes: int
    run_steps: float


@dataclass(frozen=True)
class Scheduler:
    """What the dask scheduler takes for one slice, whatever is in it, and for its bytes."""

    seconds_per_slice: float
    bytes_per_second: float

    def seconds(self, costs: SliceCosts) -> float:
        """For one slice, there and back."""
        return self.seconds_per_slice + costs.message_bytes / self.bytes_per_second


@dataclass
class SimulatedCluster:
    """Virtual time, a heap of what ends when, and how busy everybody was."""

    workers: int
    costs: SliceCosts
    scheduler: Scheduler
    now: float = 0.0
    worker_seconds: float = 0.0
    scheduler_free_at: float = 0.0
    in_flight: int = 0
    finished: int = 0
    _computing: list[float] = field(default_factory=list[float])
    _queued: "deque[float]" = field(default_factory=deque[float])
    _free: int = 0
    _slices: int = 0

    def __post_init__(self) -> None:
        self._free = self.workers

    def run(self, seconds: float) -> "SimulatedCluster":
        """Let the dispatcher loop for so long."""
        while self.now < seconds:
            self._store_finished()
            self._start_planned()
        return self

    @property
    def utilisation(self) -> float:
        """Share of the workers' time that went into computing."""
        return self.worker_seconds / (self.workers * self.now)

    def _store_finished(self) -> None:
        self._catch_up()
        while not self.finished and (self._computing or self._queued):
            self.now = max(self.now, min(self._next_end, self._next_begin))
            self._catch_up()
        while self.finished:
            self.finished -= 1
            self.in_flight -= 1
            self.now += self.costs.store
            self._catch_up()

    def _start_planned(self) -> None:
        idle, ahead = room(self.workers, self.in_flight)
        waiting = Queue(QueueKey(BatchKey.parse("key")), self.costs.runs * (idle + ahead), 0, 1)
        starts = plan(Facts([waiting], idle, ahead, {}, {})) if idle or ahead else []
        for _ in starts:
            self.now += self.costs.lease
            self.in_flight += 1
            self.scheduler_free_at = max(self.scheduler_free_at, self.now) + self.scheduler.seconds(self.costs)
            self._queued.append(self.scheduler_free_at)
        self._catch_up()

    def _catch_up(self) -> None:
        """What happened at the workers up to now: slices end, those that wait begin."""
        while (ends := self._next_end) <= self.now or self._next_begin <= self.now:
            if ends <= self._next_begin:
                heapq.heappop(self._computing)
                self._free += 1
                self.finished += 1
                self.worker_seconds += self.costs.compute
                if self._queued and self._queued[0] <= ends:
                    self._begin(ends)
            else:
                self._begin(self._next_begin)

    @property
    def _next_end(self) -> float:
        return self._computing[0] if self._computing else float("inf")

    @property
    def _next_begin(self) -> float:
        return self._queued[0] if self._queued and self._free else float("inf")

    def _begin(self, at: float) -> None:
        self._queued.popleft()
        self._free -= 1
        heapq.heappush(self._computing, at + self.costs.compute)


def saturation(costs: SliceCosts, scheduler: Scheduler) -> dict[str, float]:
    """How many workers the dispatcher and the scheduler can each keep busy: a slice's compute over what they take."""
    return {
        "dispatcher": costs.compute / (costs.lease + costs.store),
        "scheduler": costs.compute / scheduler.seconds(costs),
    }
