"""A cluster of up to 1000 workers, simulated around the real planner and pace: `benchmarks.scaling` feeds it costs.

Each dispatcher is one thread: it stores a finished slice, then another, then plans and leases, for its part of the
workers. A database's cores serve all dispatchers, and a scheduler passes every batch and every result. Workers compute.
Nothing else waits for anything.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field

from service.dispatch.pace import Pace
from service.dispatch.planner import Facts, Queue, plan, room
from service.values.queues import QueueKey
from workers.runs.engines import BatchKey


@dataclass(frozen=True)
class Cost:
    """Seconds of the CPU, of a dispatcher and of the database's server, for which it waits."""

    dispatcher: float
    server: float

    @property
    def both(self) -> float:
        """Seconds that pass where both have a free core."""
        return self.dispatcher + self.server


@dataclass(frozen=True)
class SliceCosts:
    """What one slice of a workload takes.

    Attributes:
        runs: in one batch.
        compute: seconds of a worker.
        lease, store: of a dispatcher and the server.
        message_bytes: batch and result together, as they are sent.
    """

    name: str
    runs: int
    compute: float
    lease: Cost
    store: Cost
    message_bytes: int


@dataclass(frozen=True)
class Scheduler:
    """What the dask scheduler takes for one slice, whatever is in it, and for its bytes."""

    seconds_per_slice: float
    bytes_per_second: float

    def seconds(self, costs: SliceCosts) -> float:
        """For one slice, there and back."""
        return self.seconds_per_slice + costs.message_bytes / self.bytes_per_second


@dataclass
class Line:
    """Servers that are the same to everybody, first come first served: when each is free again."""

    free_at: list[float]
    busy: float = 0.0

    def serve(self, at: float, seconds: float) -> float:
        """When a job that comes at a time, and takes so long, is done."""
        end = max(at, heapq.heappop(self.free_at)) + seconds
        heapq.heappush(self.free_at, end)
        self.busy += seconds
        return end


@dataclass
class _Dispatcher:
    """One dispatcher's thread, and its part of the workers; `starts` is what is left of its plan."""

    workers: int
    now: float = 0.0
    worker_seconds: float = 0.0
    in_flight: int = 0
    finished: int = 0
    starts: int = 0
    pace: Pace = field(default_factory=Pace)
    _computing: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    _queued: "deque[tuple[float, float]]" = field(default_factory=deque[tuple[float, float]])

    def send(self, there: float, seconds: float) -> None:
        """A slice that is to be computed for so long reaches the workers at a time."""
        self.in_flight += 1
        self._queued.append((there, seconds))

    def catch_up(self) -> None:
        """What happened at the workers up to now: slices end, those that wait begin."""
        while (ends := self.next_end) <= self.now or self._next_begin <= self.now:
            if ends > self._next_begin:
                self._begin(self._next_begin)
                continue
            self.worker_seconds += heapq.heappop(self._computing)[1]
            self.finished += 1
            if self._queued and self._queued[0][0] <= ends:
                self._begin(ends)

    @property
    def next_end(self) -> float:
        """When the next slice ends that is computed now."""
        return self._computing[0][0] if self._computing else float("inf")

    @property
    def next_event(self) -> float:
        """When the next slice ends or begins."""
        return min(self.next_end, self._next_begin)

    @property
    def _next_begin(self) -> float:
        is_free = len(self._computing) < self.workers
        return self._queued[0][0] if self._queued and is_free else float("inf")

    def _begin(self, at: float) -> None:
        _, seconds = self._queued.popleft()
        heapq.heappush(self._computing, (at + seconds, seconds))


@dataclass
class SimulatedCluster:
    """Virtual time, and how busy everybody was.

    Args:
        shortest, longest: seconds of a slice; the pace of a dispatcher decides in between.
        server_cores: of the database.
    """

    workers: int
    costs: SliceCosts
    scheduler: Scheduler
    dispatchers: int = 1
    server_cores: int = 16
    shortest: float = 2.0
    longest: float = 20.0
    slices: int = 0

    def __post_init__(self) -> None:
        each, rest = divmod(self.workers, self.dispatchers)
        self.server = Line([0.0] * self.server_cores)
        self.passing = Line([0.0])
        self._all = [_Dispatcher(each + (number < rest)) for number in range(self.dispatchers)]

    def run_until(self, seconds: float) -> None:
        """Let the dispatchers loop; whoever is behind in time acts next."""
        self._until = seconds
        while (one := min(self._all, key=lambda each: each.now)).now < seconds:
            self._act(one)

    @property
    def worker_seconds(self) -> float:
        """Seconds of all workers that went into the slices that have ended."""
        return sum(one.worker_seconds for one in self._all)

    def _act(self, one: _Dispatcher) -> None:
        """One act of the loop: start a planned slice, or store a finished one, or plan, or wait for a slice."""
        one.catch_up()
        if one.starts:
            self._start(one)
        elif one.finished:
            one.finished -= 1
            one.in_flight -= 1
            self.slices += 1
            one.pace.stored(self._pay(one, self.costs.store))
        elif not self._plan(one):
            one.now = max(one.now, min(one.next_event, self._until))

    def _plan(self, one: _Dispatcher) -> bool:
        idle, ahead = room(one.workers, one.in_flight)
        waiting = Queue(QueueKey(BatchKey.parse("key")), self.costs.runs * (idle + ahead), 0, 1)
        one.starts = len(plan(Facts([waiting], idle, ahead, {}, {}))) if idle or ahead else 0
        return one.starts > 0

    def _start(self, one: _Dispatcher) -> None:
        seconds = one.pace.length(self.shortest, self.longest, one.workers, float("inf"))
        one.pace.leased(self._pay(one, self.costs.lease))
        one.starts -= 1
        one.send(self.passing.serve(one.now, self.scheduler.seconds(self.costs)), seconds)

    def _pay(self, one: _Dispatcher, cost: Cost) -> float:
        """Let a dispatcher work and wait for the server; returns for how long."""
        begun = one.now
        one.now = self.server.serve(one.now + cost.dispatcher, cost.server)
        return one.now - begun


def saturation(costs: SliceCosts, scheduler: Scheduler) -> dict[str, float]:
    """How many workers a dispatcher, a core of the database and the scheduler can each keep busy."""
    return {
        "dispatcher": costs.compute / (costs.lease.both + costs.store.both),
        "core": costs.compute / (costs.lease.server + costs.store.server),
        "scheduler": costs.compute / scheduler.seconds(costs),
    }
