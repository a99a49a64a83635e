"""A TLS cluster of processes from docker-compose.yml's commands: a sweep's results are those of a quiet run, whatever
happens to scheduler, workers and network on the way."""

import json
import subprocess
import time

import psutil
import pytest
from distributed.comm import connect
from distributed.security import Security

from tests.cluster.cuttable import Cuttable
from tests.cluster.site import Site, until
from tests.helpers import coroutines
from tests.helpers.specs import BASIC

SWEEP = {
    "name": "faults",
    "run": BASIC | {"stop": {"max_steps": 50_000}, "init": BASIC["init"] | {"balanced": True}},
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1]}],
}


def results(client, experiment):
    runs = list(client.runs(experiment["id"]))
    return [(run["outcome"], run["step"], client.trajectory(run["id"])["columns"]) for run in runs]


def started(site, workers=2):
    """Submit the sweep and wait until slices of it have been stored and none of its runs is over."""
    until(lambda: site.workers() == workers, "workers")
    client = site.clients[0]
    experiment = client.submit(SWEEP)
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
def patience(long_mode):
    """Seconds of silence after which the dispatcher gives the scheduler up."""
    return 30 if long_mode else 8


@pytest.fixture(scope="module")
def site(tmp_path_factory, patience):
    """The dispatcher's way to the scheduler leads through `site.network`, which can be cut."""
    site = Site(tmp_path_factory.mktemp("site"), RANKWARD_CLUSTER_TIMEOUT_SECONDS=str(patience))
    with Cuttable(site.scheduler_port) as site.network:
        site.dispatcher_way = site.network.port
        with site:
            yield site


def test_workers_show_that_they_live_while_they_have_their_scheduler(site):
    """The file by which containers are checked, in tests/cluster's directory in place of /data."""
    alive = site.directory / "alive"
    until(lambda: alive.exists() and time.time() - alive.stat().st_mtime < 10, "a sign of life", 120)
    seen = alive.stat().st_mtime
    until(lambda: alive.stat().st_mtime > seen, "another one", 30)


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
                coroutines.run(shake_hands(f"{scheme}://127.0.0.1:{site.scheduler_port}", security))


async def shake_hands(address, security):
    """What a dask client does first; a client itself, given up half-made, may hang in its own finaliser."""
    comm = await connect(address, timeout=3, **security.get_connection_args("client"))
    await comm.close()


def test_a_worker_is_killed(site, quiet):
    experiment = started(site)
    worker_processes(site)[0].kill()
    check_runs(site, experiment)
    assert finished(site, experiment) == quiet


def test_the_scheduler_is_killed_and_comes_back(site, quiet):
    experiment = started(site)
    site.processes["scheduler"].kill()
    site.processes["scheduler"].wait()
    until(lambda: site.workers() == 0, "noticed")
    check_runs(site, experiment)
    site.start("scheduler")
    assert finished(site, experiment) == quiet
    until(lambda: site.workers() == 2, "two workers again")


def test_the_network_is_cut_for_a_while(site, quiet, patience):
    """Shorter than the dispatcher has patience: it is sat out, and nothing computed twice. `--long` cuts for 20 s."""
    experiment, lost = started(site), lost_slices(site)
    cut(site, experiment, patience * 2 / 3 if patience > 8 else 3)
    assert finished(site, experiment) == quiet
    assert lost_slices(site) == lost


def test_the_network_is_cut_for_long(site, quiet, patience):
    """Longer than the dispatcher has patience: the slices in flight are given up, and computed again afterwards."""
    experiment, lost = started(site), lost_slices(site)
    cut(site, experiment, patience + 4)
    assert finished(site, experiment) == quiet
    assert lost_slices(site) > lost


def check_runs(site, experiment):
    """The sweep is in the middle of its work; otherwise nothing was disturbed."""
    assert site.clients[0].experiment(experiment["id"])["status"] == "running"


def cut(site, experiment, seconds):
    site.network.cut()
    check_runs(site, experiment)
    time.sleep(seconds)
    site.network.mend()


def lost_slices(site):
    return site.metrics()['rankward_dispatcher_slices_total{end="lost"}']


def test_the_log_of_every_role_is_json(site, quiet):
    said = {role: site.log(role).read_text().splitlines() for role in ("scheduler", "dispatcher", "api")}
    lines = {role: [json.loads(line) for line in text] for role, text in said.items()}
    assert {role: {line["role"] for line in found} for role, found in lines.items()} == {role: {role} for role in said}
    assert any(line["event"] in ("run over", "runs over") and line["experiment"] for line in lines["dispatcher"])


def worker_processes(site) -> list[psutil.Process]:
    children = psutil.Process(site.processes["worker"].pid).children(recursive=True)
    return [one for one in children if "--multiprocessing-fork" in one.cmdline()]


def test_a_scheduler_on_the_network_without_certificates_is_refused(site):
    command = site._command("scheduler")
    environment = {name: value for name, value in site._env("scheduler").items() if "TLS" not in name}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1
    assert "rankward certificates" in said.stderr


def test_everything_ends_on_sigterm(site, quiet):
    until(lambda: site.workers() == 2, "two workers")
    family = [child for one in site.processes.values() for child in psutil.Process(one.pid).children(recursive=True)]
    for process in site.processes.values():
        process.terminate()
    assert {name: process.wait(60) for name, process in site.processes.items()} == dict.fromkeys(site.processes, 0)
    assert not psutil.wait_procs(family, timeout=10)[1]
