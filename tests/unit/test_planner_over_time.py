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
    """Workers that take some 2 s for a slice, and a dispatcher that hears of it every 0.1 s."""

    def __init__(self, workers, seed):
        self.workers, self.now, self.in_flight, self.slices = workers, 0.0, 0, 0
        self.waiting, self.first_start, self.started = Counter[QueueKey](), {}, Counter[QueueKey]()
        self.keys_in_flight = Counter[QueueKey]()
        self.busy_seconds = 0.0
        self._random = random.Random(seed)
        self._computing, self._ahead = [], deque()
        self._last_served, self._share_last_served = {}, {}

    def run(self, seconds):
        until = self.now + seconds
        while self.now < until:
            self.now += PLAN_SECONDS
            self._end_slices()
            self._plan()

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
        for start in plan(
            Facts(queues, idle, ahead, self._last_served, self._share_last_served, highest, on_cores=True)
        ):
            key, self.slices = start.queue.key, self.slices + 1
            self._last_served[key] = self._share_last_served[key.share] = self.slices
            self.waiting[key] -= start.runs
            self.in_flight += 1
            self.keys_in_flight[key] += 1
            self.started[key] += 1
            slice_ = (key, start.runs)
            self._compute(slice_, self.now) if len(self._computing) < self.workers else self._ahead.append(slice_)

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
