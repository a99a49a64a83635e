"""Two dispatchers that share the workers of one scheduler: each feeds its part, and the other's where it dies."""

import signal

import pytest

from tests.cluster.site import Site, free_port, until
from tests.cluster.test_faults import SWEEP, finished, started
from tests.helpers.postgresql import PostgreSQL

SECOND = "dispatcher-2"


@pytest.fixture(scope="module")
def second_metrics():
    return free_port()


@pytest.fixture(scope="module")
def site(tmp_path_factory, second_metrics):
    with PostgreSQL() as server, server.database() as url:
        directory = tmp_path_factory.mktemp("shared")
        with Site(directory, url, RANKWARD_LEASE_SECONDS="3", RANKWARD_CLUSTER_TIMEOUT_SECONDS="8") as site:
            site.start("dispatcher", SECOND, second_metrics)
            until(lambda: site.workers() == site.workers(second_metrics) == 1, "each has a worker")
            yield site


@pytest.fixture(scope="module")
def quiet(site, second_metrics):
    before = slices(site), slices(site, second_metrics)
    ended = finished(site, started(site, workers=1))
    assert all(now > then for now, then in zip((slices(site), slices(site, second_metrics)), before, strict=True))
    return ended


def slices(site, port=None):
    return site.metrics(port).get('rankward_dispatcher_slices_total{end="stored"}', 0)


def test_both_feed_workers_with_the_same_sweep(quiet):
    assert len(quiet) == len(SWEEP["sweep"][0]["model.depth"]) * len(SWEEP["sweep"][1]["seed"])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_other_goes_on_with_all_workers(site, quiet, second_metrics, how):
    experiment = started(site, workers=1)
    site.processes[SECOND].send_signal(how)
    until(lambda: site.workers() == 2, "the workers of the other, too")
    assert finished(site, experiment) == quiet
    site.processes[SECOND].send_signal(signal.SIGCONT)
    site.processes[SECOND].kill()
    site.processes[SECOND].wait()
    site.start("dispatcher", SECOND, second_metrics)
    until(lambda: site.workers() == site.workers(second_metrics) == 1, "each has a worker again")
