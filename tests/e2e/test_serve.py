"""`rankward serve` as a user has it: real processes, killed while they work."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

LONG = {
    "name": "long",
    "run": BASIC | {"stop": {"max_steps": 200_000}, "init": BASIC["init"] | {"balanced": True}},
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1, 2]}],
}


def results(client, experiment):
    runs = list(client.runs(experiment["id"]))
    return [(run["outcome"], run["step"], client.trajectory(run["id"])["columns"]) for run in runs]


def until_it_works(server, experiment):
    """Wait until further slices of every run have been stored, and none is over: it is in the middle of its work."""
    before, deadline = steps_of(server, experiment), time.monotonic() + 60
    while any(now == then for now, then in zip(steps_of(server, experiment), before, strict=True)):
        assert time.monotonic() < deadline, "nothing was computed"
        time.sleep(0.05)
    assert server.client.experiment(experiment["id"])["runs"]["succeeded"] == 0


def steps_of(server, experiment):
    return [run["step"] for run in server.client.runs(experiment["id"])]


def family(server):
    return psutil.Process(server.process.pid).children(recursive=True)


def killed_and_started_again(server):
    server.kill()
    server.start()


def whole_tree_killed(server):
    for process in reversed([*family(server), psutil.Process(server.process.pid)]):
        process.kill()
    killed_and_started_again(server)


def ended_by_ctrl_c(server):
    """All of it is gone then."""
    tree = family(server)
    assert server.interrupt() == 0
    assert not [process for process in tree if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    server.start()


def a_worker_killed(server):
    workers = [process for process in family(server) if "--multiprocessing-fork" in process.cmdline()]
    assert len(workers) == 2
    workers[0].kill()


def a_role_killed(role):
    def kill(server):
        (child,) = [child for child in psutil.Process(server.process.pid).children() if role in child.cmdline()]
        child.kill()

    return kill


DISTURBANCES = [
    killed_and_started_again,
    a_worker_killed,
    a_role_killed("api"),
    whole_tree_killed,
    a_role_killed("dispatcher"),
    ended_by_ctrl_c,
]


def test_whatever_is_killed_the_numbers_are_those_of_a_server_left_alone(server, tmp_path: Path):
    """Each disturbance comes in the middle of the same runs; no run is blamed, and nothing is lost."""
    quiet = server.client.submit(LONG)
    with Server(tmp_path, workers=2, RANKWARD_SLICE_SECONDS="0.2") as disturbed:
        experiment = disturbed.client.submit(LONG)
        for disturb in DISTURBANCES:
            until_it_works(disturbed, experiment)
            disturb(disturbed)
        assert disturbed.client.wait(experiment["id"])["runs"]["succeeded"] == 6
        assert server.client.wait(quiet["id"])["status"] == "succeeded"
        assert results(disturbed.client, experiment) == results(server.client, quiet)


def rankward(server, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "RANKWARD_URL": server.url},
    )


def test_submit_wait_and_list_from_the_command_line(server, tmp_path: Path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        """
        name: from a file
        run:
          problem: {kind: perturbed_2x2}
          model: {kind: deep_matrix, depth: 2}
          init: {kind: identity, scale: 1e-1}
          optimizer: {kind: gradient_descent, learning_rate: 1e-2}
          stop: {max_steps: 1e3}
        """
    )
    submitted = rankward(server, "submit", str(spec), "--wait", "--json")
    assert submitted.returncode == 0, submitted.stderr
    experiment = json.loads(submitted.stdout)
    assert experiment["status"] == "succeeded"
    listed = json.loads(rankward(server, "runs", "--experiment", experiment["id"], "--json").stdout)
    assert [run["step"] for run in listed] == [1000]
    table = rankward(server, "runs", "--experiment", experiment["id"])
    assert "budget_exhausted" in table.stdout
    figure = tmp_path / "figure.png"
    assert rankward(server, "figure", experiment["id"], "--output", str(figure)).returncode == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "first_look" in rankward(server, "presets").stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("run: [", "neither YAML nor JSON"),
        ("run: {seed: -1}", "/run/seed"),
        (None, "No such file"),
    ],
)
def test_mistakes_on_the_command_line_are_sentences(server, tmp_path: Path, content, said):
    spec = tmp_path / "spec.yaml"
    if content is not None:
        spec.write_text(content)
    answer = rankward(server, "submit", str(spec))
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
