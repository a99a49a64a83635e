"""`rankward serve` as a user has it: real processes, killed while they work."""

import json
import os
import signal
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
    "run": BASIC | {"stop": {"max_steps": 30_000}, "init": BASIC["init"] | {"balanced": True}},
    "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1, 2]}],
}


def results(client, experiment):
    runs = list(client.runs(experiment["id"]))
    return [(run["outcome"], run["step"], client.trajectory(run["id"])["columns"]) for run in runs]


def until_it_works(client, experiment):
    """Wait until slices have been stored and none of the runs is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(run["step"] > 0 for run in client.runs(experiment["id"])):
            return
        time.sleep(0.05)
    raise AssertionError("nothing was computed")


def test_a_server_killed_in_mid_run_finishes_with_the_numbers_of_one_left_alone(server, tmp_path: Path):
    quiet = server.client.submit(LONG)
    with Server(tmp_path, RANKWARD_SLICE_SECONDS="0.2") as killed:
        experiment = killed.client.submit(LONG)
        for _ in range(2):
            until_it_works(killed.client, experiment)
            assert killed.client.experiment(experiment["id"])["status"] == "running"
            killed.kill()
            killed.start()
        assert killed.client.wait(experiment["id"])["status"] == "succeeded"
        assert server.client.wait(quiet["id"])["status"] == "succeeded"
        assert results(killed.client, experiment) == results(server.client, quiet)


def test_the_whole_process_tree_killed(tmp_path: Path):
    with Server(tmp_path, RANKWARD_SLICE_SECONDS="0.2") as server:
        experiment = server.client.submit(LONG)
        until_it_works(server.client, experiment)
        tree = [*psutil.Process(server.process.pid).children(recursive=True), psutil.Process(server.process.pid)]
        for process in reversed(tree):
            process.kill()
        server.kill()
        server.start()
        assert server.client.wait(experiment["id"])["runs"]["succeeded"] == 6


def test_ctrl_c_ends_everything_cleanly_and_loses_nothing(tmp_path: Path):
    server = Server(tmp_path, RANKWARD_SLICE_SECONDS="0.5")
    experiment = server.client.submit(LONG)
    until_it_works(server.client, experiment)
    tree = psutil.Process(server.process.pid).children(recursive=True)
    assert server.interrupt() == 0
    assert not [process for process in tree if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    with Server(tmp_path) as again:
        assert again.client.wait(experiment["id"])["status"] == "succeeded"


@pytest.mark.parametrize("role", ["api", "dispatcher"])
def test_a_process_that_is_killed_is_started_again(tmp_path: Path, role):
    with Server(tmp_path, RANKWARD_SLICE_SECONDS="0.2") as server:
        experiment = server.client.submit(LONG)
        until_it_works(server.client, experiment)
        children = psutil.Process(server.process.pid).children()
        (child,) = [one for one in children if role in one.cmdline()]
        child.send_signal(signal.SIGKILL)
        assert server.client.wait(experiment["id"])["status"] == "succeeded"


def test_a_worker_that_is_killed_is_replaced_and_blames_no_run(tmp_path: Path):
    with Server(tmp_path, RANKWARD_SLICE_SECONDS="0.2") as server:
        experiment = server.client.submit(LONG)
        until_it_works(server.client, experiment)
        tree = psutil.Process(server.process.pid).children(recursive=True)
        workers = [one for one in tree if "--multiprocessing-fork" in one.cmdline()]
        assert len(workers) == 2
        workers[0].send_signal(signal.SIGKILL)
        assert server.client.wait(experiment["id"])["runs"]["succeeded"] == 6


def test_a_second_server_on_the_same_data_directory_is_refused(server):
    second = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--data-dir", str(server.data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "--data-dir" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_that_is_taken_is_refused(server, tmp_path: Path):
    port = server.url.rsplit(":", 1)[1]
    second = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", port, "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "--port" in second.stderr


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


def test_no_server_is_a_sentence(tmp_path: Path):
    answer = subprocess.run(
        [sys.executable, "-m", "service.cli", "runs", "--url", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1
    assert "rankward serve" in answer.stderr
