"""A TLS cluster of processes from docker-compose.yml's commands: a sweep's results are those of a quiet run, whatever
happens to scheduler, workers and network on the way."""

import subprocess
import time
from pathlib import Path

import psutil
import pytest
from distributed import Client
from distributed.security import Security

from tests.cluster.cuttable import Cuttable
from tests.cluster.site import Site, until
from tests.specs import BASIC

SWEEP = {
    "name": "faults",
    "run": BASIC | {"stop": {"max_steps": 20_000}, "init": BASIC["init"] | {"balanced": True}},
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1]}],
}


def results(client, experiment):
    runs = list(client.runs(experiment["id"]))
    return [(run["outcome"], run["step"], client.trajectory(run["id"])["columns"]) for run in runs]


def started(site, sweep=SWEEP):
    """Submit a sweep and wait until slices of it have been stored and none of its runs is over."""
    until(lambda: site.workers() == 2, "two workers")
    client = site.clients[0]
    experiment = client.submit(sweep)
    until(lambda: any(run["step"] for run in client.runs(experiment["id"])), "a slice stored")
    assert client.experiment(experiment["id"])["runs"]["succeeded"] == 0
    return experiment


def finished(site, experiment):
    ended = until(lambda: over(site.clients[1].experiment(experiment["id"])), "every run over", 240)
    assert ended["runs"]["succeeded"] == ended["runs"]["total"]
    return results(site.clients[1], experiment)


def over(experiment):
    return experiment if experiment["status"] not in ("queued", "running") else None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def quiet(site):
    return finished(site, started(site))


def test_a_sweep_runs(quiet):
    assert len(quiet) == 4
    assert {outcome for outcome, *_ in quiet} == {"budget_exhausted"}


def test_nobody_without_a_certificate_gets_in(site, quiet):
    for security in (
        Security(),
        Security(require_encryption=True, tls_ca_file=str(site.directory / "certificates/ca.pem")),
    ):
        for scheme in ("tcp", "tls"):
            with pytest.raises((OSError, TypeError, RuntimeError)):
                Client(f"{scheme}://127.0.0.1:{site.scheduler_port}", security=security, timeout=3)


def test_a_worker_is_killed(site, quiet):
    experiment = started(site)
    worker_processes(site)[0].kill()
    assert finished(site, experiment) == quiet


def test_the_scheduler_is_killed_and_comes_back(site, quiet):
    experiment = started(site)
    site.processes["scheduler"].kill()
    site.processes["scheduler"].wait()
    until(lambda: site.workers() == 0, "noticed")
    assert site.clients[0].experiment(experiment["id"])["status"] == "running"
    site.start("scheduler")
    assert finished(site, experiment) == quiet
    until(lambda: site.workers() == 2, "two workers again")


@pytest.mark.parametrize(("patience", "silence"), [("2", 5), ("60", 3)], ids=["given up", "sat out"])
def test_the_network_is_cut_for_a_while(tmp_path: Path, quiet, patience, silence, long_mode):
    """The dispatcher's way to the scheduler falls silent, longer or shorter than it has patience."""
    cut_for = 20 if long_mode else silence
    fast = Site(tmp_path, RANKWARD_CLUSTER_TIMEOUT_SECONDS=patience)
    with Cuttable(fast.scheduler_port) as proxy:
        fast.dispatcher_way = proxy.port
        with fast:
            experiment = started(fast)
            proxy.cut()
            time.sleep(cut_for)
            assert (fast.workers() == 0) == (float(patience) < cut_for)
            proxy.mend()
            assert finished(fast, experiment) == quiet
            assert (fast.metrics()['rankward_dispatcher_slices_total{end="lost"}'] > 0) == (float(patience) < cut_for)


def test_everything_ends_on_sigterm(tmp_path: Path):
    with Site(tmp_path) as site:
        until(lambda: site.workers() == 2, "two workers")
        family = [
            child for one in site.processes.values() for child in psutil.Process(one.pid).children(recursive=True)
        ]
        for process in site.processes.values():
            process.terminate()
        assert {name: process.wait(60) for name, process in site.processes.items()} == dict.fromkeys(site.processes, 0)
        assert not psutil.wait_procs(family, timeout=10)[1]


def worker_processes(site) -> list[psutil.Process]:
    children = psutil.Process(site.processes["worker"].pid).children(recursive=True)
    return [one for one in children if "--multiprocessing-fork" in one.cmdline()]


def test_a_scheduler_on_the_network_without_certificates_is_refused(site):
    command = site._command("scheduler")
    environment = {name: value for name, value in site._env("scheduler").items() if "TLS" not in name}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert "rankward certificates" in said.stderr
