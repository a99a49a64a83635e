"""The planner: a pure function from facts to instructions, so that decisions can be tested without a cluster."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, groupby, islice, takewhile

from service.values.queues import QueueKey

MOST_RUNS_PER_BATCH = 1024
"""Largest batch; larger ones are no faster on any engine, and take longer to send and to store."""

NUMBERS_PER_BATCH = 2**19
"""Largest count of state entries and observations in a batch: 4 MiB in float64, about the cache of a core."""

NO_PRIORITY = float("-inf")
"""Priority below all others."""


@dataclass(frozen=True)
class Queue:
    """Waiting runs that may share a batch.

    Attributes:
        waiting: number of waiting runs.
        first_run: id of the oldest run.
        numbers: size of one run in numbers, see `workers.runs.costs.batch_numbers`.
    """

    key: QueueKey
    waiting: int
    first_run: int
    numbers: int


@dataclass(frozen=True)
class Facts:
    """The state of queues and workers, as the dispatcher sees it.

    Attributes:
        idle_workers: number of workers without a slice.
        slices_ahead: further slices that may wait at the cluster, so that workers go on while results are stored.
        last_served: ordinal of the slice that last served a queue; later is larger.
        share_last_served: ordinal of the slice that last served a share.
        priority_in_flight: highest priority of the slices in flight, NO_PRIORITY without slices.
        idle_elsewhere: idle workers of other dispatchers, for which the plan leaves runs; then no slice waits ahead.
        on_cores: whether all workers are CPU cores, on which some engines gain nothing from larger batches.
    """

    queues: Sequence[Queue]
    idle_workers: int
    slices_ahead: int
    last_served: Mapping[QueueKey, int]
    share_last_served: Mapping[int, int]
    priority_in_flight: float = NO_PRIORITY
    on_cores: bool = False
    idle_elsewhere: int = 0

    @property
    def idle_everywhere(self) -> int:
        """Idle workers, those of other dispatchers included."""
        return self.idle_workers + self.idle_elsewhere


@dataclass(frozen=True)
class StartSlice:
    """Lease at most `runs` runs of a queue and send them to a worker."""

    queue: Queue
    runs: int


def plan(facts: Facts) -> list[StartSlice]:
    """Distribute the idle workers among the queues.

    Workers go to the highest priority first. Within a priority the shares take turns, and within a share its queues;
    the longest waiting one is next. A batch is split further only for workers that no queue needs, because two halves
    take almost as long as the undivided batch. Slices ahead are full batches only: later runs would not speed them up.
    Idle workers of other dispatchers count as workers of this one would, and what falls to the last is left to them.
    """
    suspected = any(queue.key.batch_limit is not None for queue in facts.queues)
    # If a worker dies, slices that wait at it are blamed too.
    ahead = 0 if suspected or facts.idle_elsewhere else facts.slices_ahead
    turns = list(islice(_turns(facts), facts.idle_everywhere + ahead))
    served = list(dict.fromkeys(turns))
    now = turns[: facts.idle_everywhere]
    now += islice(cycle(served), facts.idle_everywhere - len(now) if served else 0)
    workers, here = Counter(now), Counter(now[: facts.idle_workers])
    highest = max([facts.priority_in_flight, *(queue.key.priority for queue in turns)])
    further = _full_turns(turns[facts.idle_everywhere :], workers, highest, facts.on_cores)
    at_once, later = list[StartSlice](), list[StartSlice]()
    for queue in served:
        starts = _split(queue, workers[queue] + further[queue])
        at_once += starts[: here[queue]]
        later += starts[workers[queue] :]
    return at_once + later


def room(workers: int, in_flight: int) -> tuple[int, int]:
    """Idle workers, and slices that may wait ahead beyond them: at most one per worker."""
    return max(0, workers - in_flight), max(0, 2 * workers - max(workers, in_flight))


def largest_batch(queue: Queue) -> int:
    """Largest number of runs of a queue in one slice."""
    fitting = max(1, min(MOST_RUNS_PER_BATCH, NUMBERS_PER_BATCH // queue.numbers))
    return fitting if queue.key.batch_limit is None else min(fitting, queue.key.batch_limit)


def full_batch(queue: Queue, on_cores: bool) -> int:
    """The batch size above which a batch's time grows in proportion to its size."""
    largest, enough = largest_batch(queue), queue.key.batch_key.enough_runs
    return min(largest, enough) if on_cores and enough is not None else largest


def _turns(facts: Facts) -> Iterator[Queue]:
    """Queues in serving order, one entry per waiting batch."""

    def batches(queue: Queue) -> int:
        return -(-queue.waiting // full_batch(queue, facts.on_cores))

    ordered = sorted(
        facts.queues,
        key=lambda queue: (
            -queue.key.priority,
            facts.share_last_served.get(queue.key.share, -1),
            queue.key.share,
            facts.last_served.get(queue.key, -1),
            queue.first_run,
        ),
    )
    most = facts.idle_everywhere + facts.slices_ahead
    for _, equals in groupby(ordered, key=lambda queue: queue.key.priority):
        shares = groupby(equals, key=lambda queue: queue.key.share)
        yield from _in_turn(_in_turn([queue] * min(most, batches(queue)) for queue in share) for _, share in shares)


def _in_turn(rows: Iterable[Iterable[Queue]]) -> list[Queue]:
    """The first queue of each row, then the second of each, until all rows are exhausted."""
    waiting, taken = deque(row for row in map(deque, rows) if row), list[Queue]()
    while waiting:
        row = waiting.popleft()
        taken.append(row.popleft())
        if row:
            waiting.append(row)
    return taken


def _full_turns(turns: Iterable[Queue], workers: Mapping[Queue, int], highest: float, on_cores: bool) -> Counter[Queue]:
    """Turns beyond the idle workers that have a full batch and at least the `highest` priority.

    The turns end at the first queue with neither a full batch nor a worker. Slices ahead of it would take every worker
    before it is idle, again and again, and the queue would starve. Slices less urgent than one in flight would starve
    the runs of that one in the same way.
    """
    full = Counter[Queue]()
    for queue in takewhile(lambda queue: queue.key.priority >= highest, turns):
        if queue.waiting // full_batch(queue, on_cores) > workers.get(queue, 0) + full[queue]:
            full[queue] += 1
        elif not workers.get(queue, 0) + full[queue]:
            break
    return full


def _split(queue: Queue, workers: int) -> list[StartSlice]:
    starts: list[StartSlice] = []
    waiting = queue.waiting
    for left in range(workers, 0, -1):
        runs = min(largest_batch(queue), -(-waiting // left))
        if runs > 0:
            starts.append(StartSlice(queue, runs))
        waiting -= runs
    return starts
