"""The connection to a scheduler: whatever ends it, it is tried again, and slices in flight come back as lost."""

import time
from concurrent.futures import Future

import pytest

from service.dispatch import external
from service.dispatch.external import ExternalDaskCluster
from service.settings import Settings
from tests.helpers.specs import member, spec
from workers.records import Batch, Budget

BATCH = Batch((member(spec()),))


class FakeClient:
    """A scheduler's client whose answers a test gives in turn: a number of workers, or an error."""

    answers: list = []
    status = "running"
    scheduler = type("Scheduler", (), {"ncores": None})

    def __init__(self, *_, **__):
        self.computing: list[Future] = []
        FakeClient.made.append(self)

    def sync(self, *_, **__):
        answer = FakeClient.answers.pop(0) if FakeClient.answers else 2
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(range(answer), 1)

    def get_executor(self, **_):
        return self

    def submit(self, *_, **__):
        self.computing.append(Future())
        return self.computing[-1]

    def give_up(self):
        pass


@pytest.fixture
def cluster(monkeypatch):
    FakeClient.made, FakeClient.answers = [], []
    monkeypatch.setattr(external, "Connection", FakeClient)
    monkeypatch.setattr(external, "SECONDS_BETWEEN_LOOKS", 0.01)
    cluster = ExternalDaskCluster(Settings(scheduler="tcp://127.0.0.1:1", cluster_timeout_seconds=1))
    eventually(lambda: cluster.worker_count() == 2)
    yield cluster
    cluster.close()


def eventually(holds):
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize("error", [OSError("cut"), TimeoutError(), ValueError("IOStream is not idle"), KeyError("bug")])
def test_slices_in_flight_are_lost_with_the_connection_and_another_is_made(cluster, error):
    promised = cluster.submit(BATCH, Budget(1))
    FakeClient.answers = [error]
    eventually(promised.cancelled)
    eventually(lambda: cluster.worker_count() == 2)
    assert len(FakeClient.made) == 2
    FakeClient.made[0].computing[0].set_result("late")
    assert promised.cancelled()


def test_results_and_errors_of_slices_come_through(cluster):
    good, bad, lost = (cluster.submit(BATCH, Budget(1)) for _ in range(3))
    computing = FakeClient.made[0].computing
    computing[0].set_result("result")
    computing[1].set_exception(MemoryError("no room"))
    computing[2].set_exception(OSError("connection reset"))
    assert good.result(1) == "result"
    assert isinstance(bad.exception(1), MemoryError)
    assert lost.cancelled()


def test_without_a_connection_slices_are_lost_at_once_and_there_are_no_workers(cluster):
    FakeClient.answers = [OSError("cut")] * 1000
    eventually(lambda: cluster.worker_count() == 0)
    eventually(lambda: cluster.submit(BATCH, Budget(1)).cancelled())
