"""The planner: facts in, instructions out. Pure, so that every decision can be tested without a cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_RUNS_PER_BATCH = 1024
"""Larger batches are no faster on any engine, and take longer to send and to store."""

NUMBERS_PER_BATCH = 2**19
"""States and observations of one batch: 4 MiB in float64, about what stays in a core's cache between two steps."""


@dataclass(frozen=True)
class Queue:
    """Waiting runs that may share a batch.

    Attributes:
        batch_limit: the most runs one batch may hold, set after a batch of these failed.
        waiting: how many runs wait.
        first_run: the oldest one's id.
        numbers: in one run's state, more where its memory is far larger (`workers.costs.batch_numbers`).
    """

    batch_key: str
    batch_limit: int | None
    waiting: int
    first_run: int
    numbers: int


@dataclass(frozen=True)
class Facts:
    """What the dispatcher knows.

    Attributes:
        idle_workers: how many workers have nothing to do.
        slices_ahead: how many more slices may wait at the cluster, so that workers go on while results are stored.
        last_served: for each batch key, the number of the slice that last served it; later is larger.
    """

    queues: Sequence[Queue]
    idle_workers: int
    slices_ahead: int
    last_served: Mapping[str, int]


@dataclass(frozen=True)
class StartSlice:
    """Lease at most `runs` runs of a queue and send them to a worker."""

    queue: Queue
    runs: int


def plan(facts: Facts) -> list[StartSlice]:
    """Share the idle workers out among the queues.

    Queues are served in turn, the one that has waited longest first, each with a worker of its own. Only workers that
    are left over then split a queue: two half batches take almost as long as one whole. What is still waiting goes
    ahead only in full batches, which runs that come later could not have joined.
    """
    turns = sorted(facts.queues, key=lambda queue: (facts.last_served.get(queue.batch_key, -1), queue.first_run))
    shares = [0] * len(turns)
    for worker in range(facts.idle_workers if turns else 0):
        shares[worker % len(turns)] += 1
    starts = [start for queue, share in zip(turns, shares, strict=True) for start in _split(queue, share)]
    return [*starts, *_full_batches(turns, starts)[: _slices_ahead(facts)]]


def largest_batch(queue: Queue) -> int:
    """The most runs of a queue that one slice should carry."""
    fitting = max(1, min(MOST_RUNS_PER_BATCH, NUMBERS_PER_BATCH // queue.numbers))
    return fitting if queue.batch_limit is None else min(fitting, queue.batch_limit)


def _slices_ahead(facts: Facts) -> int:
    """None while a run is suspected: what waits at a worker that dies is lost with it, and blamed like the guilty."""
    return 0 if any(queue.batch_limit is not None for queue in facts.queues) else facts.slices_ahead


def _full_batches(queues: Sequence[Queue], starts: Sequence[StartSlice]) -> list[StartSlice]:
    """The full batches that are still waiting after `starts`."""
    full: list[StartSlice] = []
    for queue in queues:
        left = queue.waiting - sum(start.runs for start in starts if start.queue is queue)
        full += [StartSlice(queue, largest_batch(queue))] * (left // largest_batch(queue))
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
