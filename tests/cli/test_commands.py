"""Commands as people use them: on screens, with short ids, through a server that stops, until Ctrl-C."""

import json
import re
import signal
import subprocess
import sys
import time
from itertools import takewhile

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from service.cli import app
from tests.cli.shells import command, environment, on_screen, piped
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.processes

SWEPT = {"name": "[bold]two\u202e[/]", "run": BASIC, "sweep": [{"seed": [0, 1]}]}
LONG = {
    "run": {
        **BASIC,
        "engine": "torch",
        "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-7},
        "stop": {"max_steps": 100_000},
    }
}


@pytest.fixture(scope="module")
def experiment(server: Server):
    return server.client.wait(server.client.submit(SWEPT)["id"])


@pytest.mark.parametrize("width", [80, 160])
def test_every_table_fits_and_its_ids_can_be_typed(server, experiment, width):
    listed = on_screen(server, width, "experiments")
    assert "[bold]two\\u202e[/]" in listed
    short = re.search(r"^(\w+)  \[bold\]two", listed, re.MULTILINE)[1]
    runs = on_screen(server, width, "runs", "--experiment", short)
    run = runs.splitlines()[2].split()[0]
    shown = [listed, runs, on_screen(server, width, "presets")]
    shown.append(on_screen(server, width, "summary", short, "--group-by", "seed"))
    shown.append(on_screen(server, width, "figure", short, "--list"))
    shown.append(on_screen(server, width, "runs", "--fields", "id,experiment_id,spec,summary"))
    assert all(cell_len(line) <= width for text in shown for line in text.splitlines())
    assert server.client.experiment(short)["id"] == experiment["id"]
    assert server.client.run(run)["experiment_id"] == experiment["id"]
    assert f"{server.url}/experiments/{experiment['id']}" in piped(server, "open", short, "--print").stdout
    assert f"{server.url}/runs/{server.client.run(run)['id']}" in piped(server, "open", run, "--print").stdout


def test_commands_take_short_ids(server, experiment, tmp_path):
    short = experiment["id"][-8:]
    run = next(server.client.runs(short))["id"]
    for arguments in (
        ["wait", short],
        ["cancel", short],
        ["extend", run[-8:], "--max-steps", "30000"],
        ["export", "runs", "--experiment", short, "--format", "csv", "-o", str(tmp_path / "runs.csv")],
        ["figure", short, "compare", "--with", short, "--output", str(tmp_path / "a.json")],
    ):
        ended = piped(server, *arguments)
        assert ended.returncode == 0, (arguments, ended.stderr)
    assert run in (tmp_path / "runs.csv").read_text()
    assert "There is no experiment" in piped(server, "cancel", "ffffffff").stderr


def test_an_ambiguous_id_is_refused_with_a_sentence(server, experiment):
    other = server.client.submit({**SWEPT, "name": "other"})["id"]
    pairs = zip(experiment["id"], other, strict=True)
    alike = "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    assert len(alike) >= 4
    ended = piped(server, "cancel", alike)
    assert ended.returncode == 1
    assert "several experiments" in ended.stderr


def test_the_server_s_mistakes_have_lines(server, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text("run:\n  problem: {kind: perturbed_2x2}\n  model:\n    kind: deep_matrix\n    depth: -3\n")
    ended = piped(server, "submit", str(spec))
    assert ended.returncode == 1
    assert f"{spec}, line 5: /run/model/depth" in ended.stderr
    assert f"{spec}, line 1: /run/stop" in ended.stderr


def test_completion_offers_what_the_server_has(server, experiment):
    def completed(words):
        asked = {**environment(server), "_TYPER_COMPLETE_ARGS": words, "_RANKWARD_COMPLETE": "complete_zsh"}
        code = "import sys; sys.argv[0] = 'rankward'; from service.cli import app; app(prog_name='rankward')"
        return subprocess.run(
            [sys.executable, "-c", code], env=asked, capture_output=True, text=True, timeout=60, check=False
        ).stdout

    assert experiment["id"][-8:] in completed("rankward cancel ")
    assert "first_look" in completed("rankward run fir")
    assert "unobserved_entry" in completed(f"rankward figure {experiment['id'][-8:]} un")
    away = CliRunner().invoke(
        app,
        [],
        env={
            "RANKWARD_URL": "http://127.0.0.1:9",
            "_RANKWARD_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": "rankward cancel ",
        },
        prog_name="rankward",
    )
    assert "Traceback" not in away.output


def test_waiting_survives_a_server_that_comes_back(tmp_path):
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"run": LONG["run"] | {"stop": {"max_steps": 30_000}}}))
    with Server(tmp_path / "data", RANKWARD_SLICE_SECONDS="0.2") as server:
        port = server.url.rpartition(":")[2]
        waiting = subprocess.Popen(
            command("submit", str(spec), "--wait"),
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        first = waiting.stdout.readline()
        public_id = re.search(r"Experiment (\S{36}) with 1 run is queued", first)[1]
        server.interrupt()
        for line in waiting.stderr:
            if "does not answer" in line:
                break
        back = subprocess.Popen(
            command("serve", "--port", port, "--workers", "1", "--data-dir", str(tmp_path / "data")),
            stdout=subprocess.DEVNULL,
        )
        output, errors = waiting.communicate(timeout=120)
        back.send_signal(signal.SIGINT)
        back.wait(60)
    assert waiting.returncode == 0
    assert "is back" in errors
    assert public_id in output


def test_ctrl_c_leaves_the_experiment_running(server, tmp_path):
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(LONG))
    waiting = subprocess.Popen(
        command("submit", str(spec), "--wait", "--json"),
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    public_id = re.search(r"Experiment (\S{36})", waiting.stderr.readline())[1]
    time.sleep(1)
    waiting.send_signal(signal.SIGINT)
    output, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert f"rankward wait {public_id}" in errors
    assert output == ""
    assert server.client.experiment(public_id)["status"] in ("queued", "running", "succeeded")
    assert server.client.cancel(public_id)


@pytest.mark.parametrize(
    ("command", "default"),
    [("serve", "(.rankward)"), ("export", "(WHAT.FORMAT)"), ("figure", "(NAME.png)"), ("export", "(parquet)")],
)
def test_help_shows_defaults_that_are_found_out_later(command, default):
    assert f"[default: {default}]" in CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
