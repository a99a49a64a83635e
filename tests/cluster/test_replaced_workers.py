"""Workers that are replaced: because nobody wants what they compute, or because they keep too much memory."""

import os
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from service.dispatch import renewal
from service.dispatch.cluster import LocalDaskCluster
from service.dispatch.renewal import Renewal, renew
from tests.helpers.specs import member, spec
from workers.records import Batch, Budget

ENDLESS = Batch((member(spec(stop={"max_steps": 10**9}, record={"points_per_decade": 1})),))
SHORT_STEPS = 500
SHORT = Batch((member(spec(stop={"max_steps": SHORT_STEPS})),))


@pytest.fixture(scope="module")
def cluster():
    with closing(LocalDaskCluster(1)) as cluster:
        cluster.submit(SHORT, Budget(10)).result(60)
        yield cluster


def worker_ids(cluster, on_error="raise"):
    return set(cluster._client.run(os.getpid, nanny=False, on_error=on_error).values())


def until(holds, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_abandoned_slice_frees_its_worker_and_one_that_waits_behind_it_is_computed(cluster):
    before = worker_ids(cluster)
    unwanted, waiting = cluster.submit(ENDLESS, Budget(600)), cluster.submit(SHORT, Budget(10))
    time.sleep(2)
    cluster.abandon(unwanted)
    assert waiting.result(60).progress[0].checkpoint.step == SHORT_STEPS
    assert unwanted.cancelled()
    assert not before & worker_ids(cluster)


def test_an_abandoned_slice_that_waits_costs_no_worker(cluster):
    before = worker_ids(cluster)
    first, unwanted = cluster.submit(ENDLESS, Budget(5)), cluster.submit(ENDLESS, Budget(600))
    time.sleep(1.5)
    cluster.abandon(unwanted)
    until(unwanted.cancelled)
    assert first.result(60).progress[0].checkpoint.step > 0
    assert cluster.submit(SHORT, Budget(10)).result(60).progress[0].checkpoint.step == SHORT_STEPS
    assert worker_ids(cluster) == before


def test_a_renewed_worker_is_another_process_and_works_on(cluster):
    for _ in range(2):
        before = worker_ids(cluster)
        cluster._client.run(renew_in_worker)
        until(lambda before=before: (now := worker_ids(cluster, on_error="ignore")) and not now & before)
        assert cluster.submit(SHORT, Budget(10)).result(60).progress[0].checkpoint.step == SHORT_STEPS


def renew_in_worker(dask_worker):
    dask_worker.loop.add_callback(renew, dask_worker)


@pytest.mark.parametrize(
    ("kept", "executing", "results", "age", "is_renewed"),
    [
        (2000, 0, {}, 100, True),
        (999, 0, {}, 100, False),
        (2000, 1, {}, 100, False),
        (2000, 0, {"slice": 1}, 100, False),
        (2000, 0, {}, 10, False),
    ],
)
def test_an_idle_worker_is_renewed_once_it_keeps_too_much(monkeypatch, kept, executing, results, age, is_renewed):
    called = []
    loop = SimpleNamespace(add_callback=lambda *call: called.append(call))
    worker = SimpleNamespace(state=SimpleNamespace(executing_count=executing), data=results, loop=loop)
    monkeypatch.setattr(renewal, "kept_bytes", lambda _process: kept)
    looking = Renewal(worker, 1000)
    now = time.monotonic() + age
    monkeypatch.setattr(renewal.time, "monotonic", lambda: now)
    looking.look()
    looking.look()
    assert called == ([(renew, worker)] if is_renewed else [])
