"""Plans one after another, as a dispatcher makes them: workers stay busy, and every queue has its turn."""

import heapq
import random
from collections import Counter, deque

import pytest

from service.dispatch.planner import Facts, Queue, plan, room
from service.queues import QueueKey

SLICE_SECONDS, PLAN_SECONDS = 2.0, 0.1
LARGE = QueueKey("fused auto large")


class Simulation:
    """Workers that take some 2 s for a slice, and a dispatcher that hears of it every 0.1 s."""

    def __init__(self, workers, seed):
        self.workers, self.now, self.in_flight, self.slices = workers, 0.0, 0, 0
        self.waiting, self.first_start = Counter[QueueKey](), {}
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
            self.in_flight -= 1

    def _plan(self):
        idle, ahead = room(self.workers, self.in_flight)
        queues = [
            Queue(key, waiting, place, 12) for place, (key, waiting) in enumerate(self.waiting.items()) if waiting
        ]
        for start in plan(Facts(queues, idle, ahead, self._last_served, self._share_last_served, on_cores=True)):
            key, self.slices = start.queue.key, self.slices + 1
            self._last_served[key] = self._share_last_served[key.share] = self.slices
            self.waiting[key] -= start.runs
            self.in_flight += 1
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
        key = QueueKey(small, priority=priority)
        simulation.waiting[key] = runs
        simulation.run(60)
        assert simulation.first_start[key] - 10 < 2 * 1.2 * SLICE_SECONDS + 2 * PLAN_SECONDS
