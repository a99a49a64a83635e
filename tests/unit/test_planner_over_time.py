"""Plans one after another, as a dispatcher makes them: workers stay busy, and every queue has its turn."""

import heapq
import random
from collections import Counter, deque

import pytest

from service.dispatch.planner import NO_PRIORITY, Facts, Queue, plan, room
from service.values.queues import QueueKey
from workers.runs.engines import BatchKey

SLICE_SECONDS, PLAN_SECONDS = 2.0, 0.1
LARGE = QueueKey(BatchKey.parse("fused auto large"))


class Simulation:
    """Workers that take some 2 s for a slice, and a dispatcher that hears of it every 0.1 s.

    Several dispatchers take turns at the queues of the first; `idle` is what each tells the others.
    """

    def __init__(self, workers, seed, first=None):
        self.workers, self.now, self.in_flight, self.slices = workers, 0.0, 0, 0
        self.waiting, self.first_start, self.started = Counter[QueueKey](), {}, Counter[QueueKey]()
        self.idle, self.all = workers, [self]
        if first is not None:
            first.all.append(self)
            self.waiting, self.all = first.waiting, first.all
        self.keys_in_flight = Counter[QueueKey]()
        self.busy_seconds = 0.0
        self._random = random.Random(seed)
        self._computing, self._ahead = [], deque()
        self._last_served, self._share_last_served = {}, {}

    def run(self, seconds):
        until = self.now + seconds
        while self.now < until:
            for one in self.all:
                one.now += PLAN_SECONDS
                one._end_slices()
                one._plan()

    def _end_slices(self):
        back = []
        while self._computing and self._computing[0][0] <= self.now:
            ended, _, slice_ = heapq.heappop(self._computing)
            back.append(slice_)
            if self._ahead:
                self._compute(self._ahead.popleft(), ended)
        for key, runs in back:
            self.waiting[key] += runs
            self.keys_in_flight[key] -= 1
            self.in_flight -= 1

    def _plan(self):
        idle, ahead = room(self.workers, self.in_flight)
        queues = [
            Queue(key, waiting, place, 12) for place, (key, waiting) in enumerate(self.waiting.items()) if waiting
        ]
        highest = max((key.priority for key, slices in self.keys_in_flight.items() if slices), default=NO_PRIORITY)
        elsewhere = sum(other.idle for other in self.all if other is not self)
        served = (self._last_served, self._share_last_served)
        for start in plan(Facts(queues, idle, ahead, *served, highest, on_cores=True, idle_elsewhere=elsewhere)):
            key, self.slices = start.queue.key, self.slices + 1
            self._last_served[key] = self._share_last_served[key.share] = self.slices
            self.waiting[key] -= start.runs
            self.in_flight += 1
            self.keys_in_flight[key] += 1
            self.started[key] += 1
            slice_ = (key, start.runs)
            self._compute(slice_, self.now) if len(self._computing) < self.workers else self._ahead.append(slice_)

        self.idle, _ = room(self.workers, self.in_flight)

    def _compute(self, slice_, begun):
        self.first_start.setdefault(slice_[0], begun)
        seconds = SLICE_SECONDS * self._random.uniform(1, 1.2)
        self.busy_seconds += seconds
        heapq.heappush(self._computing, (begun + seconds, self._random.random(), slice_))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_large_queue_keeps_its_workers_busy(workers):
    simulation = Simulation(workers, seed=0)
    simulation.waiting[LARGE] = 128 * workers
    simulation.run(60)
    assert simulation.busy_seconds / workers > 59


@pytest.mark.parametrize("dispatchers", [2, 3, 8])
def test_a_large_queue_keeps_the_workers_of_all_dispatchers_busy(dispatchers):
    """As many runs as fill all their workers once, which the first to look could take for itself."""
    first = Simulation(2, seed=0)
    for seed in range(1, dispatchers):
        Simulation(2, seed, first)
    first.waiting[LARGE] = 128 * 2 * dispatchers
    first.run(60)
    assert min(one.busy_seconds / one.workers for one in first.all) > 57


def test_shares_are_fair_over_all_dispatchers():
    """Of two users one has five queues: each gets half of the slices of every dispatcher."""
    first = Simulation(1, seed=0)
    others = [Simulation(2, seed=1, first=first), Simulation(3, seed=2, first=first)]
    few, many = QueueKey(BatchKey.parse("fused auto"), share=1), 5
    first.waiting[few] = 10**6
    for number in range(many):
        first.waiting[QueueKey(BatchKey.parse(f"fused cpu {number}"), share=2)] = 10**6
    first.run(120)
    for one in (first, *others):
        assert 0.9 < 2 * one.started[few] / one.started.total() < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4, 8])
@pytest.mark.parametrize(
    ("small", "runs"), [("fused auto small", 1), ("torch cpu small", 900), ("fused auto another", 100)]
)
@pytest.mark.parametrize("priority", [0, 10])
def test_a_small_queue_has_its_turn_within_two_slices_beside_a_large_one(workers, small, runs, priority):
    for seed in range(5):
        simulation = Simulation(workers, seed)
        simulation.waiting[LARGE] = 512
        simulation.run(10)
        key = QueueKey(BatchKey.parse(small), priority=priority)
        simulation.waiting[key] = runs
        simulation.run(60)
        assert simulation.first_start[key] - 10 < 2 * 1.2 * SLICE_SECONDS + 2 * PLAN_SECONDS


@pytest.mark.parametrize("runs", [1, 64, 100])
def test_what_is_less_urgent_does_not_come_between_the_slices_of_what_is_more(runs):
    simulation = Simulation(1, seed=0)
    simulation.waiting[LARGE] = 512
    simulation.run(10)
    urgent = QueueKey(BatchKey.parse("fused auto urgent"), priority=10)
    simulation.waiting[urgent] = runs
    simulation.run(60)
    assert simulation.started[urgent] > 0.9 * 56 / (1.1 * SLICE_SECONDS)
