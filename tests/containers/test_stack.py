"""The stack under kills, restarts, backups and upgrades: what was accepted is there, with the bits of a quiet run."""

import threading
import time

import httpx2
import pytest

from tests.cluster.site import COMPOSE
from tests.containers.stack import ONCE, Stack, documented, engine_says
from tests.helpers.specs import BASIC

NOISE = ("8.8.8.8", "not formatted", "still alive after", "Traceback")
SWEEP = {
    "name": "kills",
    "run": BASIC | {"engine": "torch", "stop": {"max_steps": 20_000}, "init": BASIC["init"] | {"balanced": True}},
    "sweep": [{"model.depth": [2, 3]}, {"seed": list(range(10))}],
}
SERVICES = [name for name, service in COMPOSE["services"].items() if name not in ONCE and "profiles" not in service]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    if why := engine_says():
        pytest.skip(why)
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def quiet(stack):
    """The trajectories of a sweep that nothing disturbed."""
    return trajectories(stack, stack.client.wait(stack.client.submit(SWEEP)["id"]))


def trajectories(stack, experiment):
    assert experiment["runs"]["succeeded"] == experiment["runs"]["total"]
    runs = sorted(stack.client.runs(experiment["id"]), key=lambda run: run["index"])
    return [stack.client.trajectory(run["id"])["columns"] for run in runs]


def test_every_service_is_well_and_confined(stack):
    for service in SERVICES:
        for container in stack.containers(service):
            assert stack.is_well(container), service
            host = stack.inspected(container)["HostConfig"]
            assert host["ReadonlyRootfs"]
            assert host["CapDrop"] == ["ALL"]
            assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}
    for command in ("id -u", "python -c 'import os; print(os.getuid())'"):
        assert stack.shell(f"docker compose exec -T api {command}").strip() == "10001"


def test_the_image_holds_the_code_once(stack):
    found = stack.shell(
        "docker compose exec -T api find / -xdev -name supervisor.py -path '*service*' 2>/dev/null || true"
    )
    assert len(found.split()) == 1
    assert "site-packages" in found


def test_an_idle_stack_says_nothing_odd(stack):
    stack.shell("docker compose restart worker && docker compose up --detach --wait")
    said = stack.shell("docker compose logs --no-color")
    assert [line for line in said.splitlines() if any(noise in line for noise in NOISE)] == []


def test_a_sweep_comes_out_the_same_though_every_service_is_killed(stack, quiet):
    experiment = stack.client.submit(SWEEP)
    seconds = {service: round(stack.kill(service), 1) for service in SERVICES}
    print(f"seconds until well again: {seconds}")
    assert trajectories(stack, stack.client.wait(experiment["id"])) == quiet


def test_replicas_that_restart_in_turn_lose_no_request(stack):
    failures, answered, stop = [], [], threading.Event()

    def ask():
        with httpx2.Client(base_url=stack.url) as http:
            while not stop.is_set():
                try:
                    answered.append(http.get("/livez").raise_for_status())
                except httpx2.HTTPError as error:
                    failures.append(repr(error))
                time.sleep(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        stack.shell(documented("Restart of the API, one replica after the other"))
    finally:
        stop.set()
        asking.join()
    assert failures == []
    assert len(answered) > 100


def test_a_backup_is_restored(stack, quiet):
    kept = stack.client.wait(stack.client.submit(SWEEP)["id"])
    stack.shell(documented("Backup"))
    stack.client.delete(kept["id"])
    stack.shell(documented("Restore"))
    assert trajectories(stack, stack.client.experiment(kept["id"])) == quiet


def test_an_upgrade_in_the_middle_of_a_sweep(stack, quiet):
    experiment = stack.client.submit(SWEEP)
    before = stack.containers("worker")
    stack.shell(documented("Upgrade").replace("up --detach", "up --detach --force-recreate"))  # as a new image would
    assert set(stack.containers("worker")).isdisjoint(before)
    assert trajectories(stack, stack.client.wait(experiment["id"])) == quiet


def test_data_survives_down_and_up(stack, quiet):
    kept = stack.client.wait(stack.client.submit(SWEEP)["id"])
    stack.shell("docker compose down && docker compose up --detach --wait")
    assert trajectories(stack, stack.client.experiment(kept["id"])) == quiet
