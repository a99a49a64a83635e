"""The client and the command line where nothing of the server is installed."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from service.values import extras
from service.values.extras import NotInstalled, check_installed
from tests.helpers.specs import BASIC
from tests.packages.test_contents import PROJECT, ROOT

NEEDED_ANYWAY = {"pydantic"}  # by typer, which imports it when it is asked to
MOST_MEGABYTES = 60
MOST_SECONDS_TO_IMPORT = 0.3
WITHOUT = """
import sys
class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {away}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Away())
"""
SERVER_COMMANDS = ("serve", "api", "dispatcher", "migrate", "compact", "demo", "scheduler", "settings")
PYTHONS = [found for minor in range(11, 16) if (found := shutil.which(f"python3.{minor}"))]


def modules_of_the_server():
    """Modules of the packages that `rankward[server]` brings beside what the client needs."""
    named = {re.split(r"[\[<>=;]", one)[0] for one in PROJECT["optional-dependencies"]["server"]} | {"pyarrow"}
    named -= NEEDED_ANYWAY | {"rankward"}
    wanted = {name.lower().replace("_", "-") for name in named}
    return {
        module
        for module, owners in packages_distributions().items()
        if any(owner.lower().replace("_", "-") in wanted for owner in owners)
    }


def without_the_server(code):
    program = WITHOUT.format(away=modules_of_the_server()) + code
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.processes
def test_the_client_and_every_command_are_imported_without_the_server():
    assert {"torch", "numpy", "sqlalchemy", "fastapi", "pyarrow", "structlog"} <= modules_of_the_server()
    done = without_the_server("from rankward import Rankward; import service.cli.main; print('torch' in sys.modules)")
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.mark.processes
def test_tables_of_runs_are_printed_without_the_server():
    """What labels leave out has columns of its own."""
    specs = [BASIC | {"init": BASIC["init"] | {"std": std}} for std in (0.1, 0.2)]
    runs = [
        {"id": f"run-{at}", "experiment_id": "e", "spec": spec, "step": 3, "summary": {"loss": 0.5}, "outcome": None}
        | {"status": "running", "error": None}
        for at, spec in enumerate(specs)
    ]
    done = without_the_server(f"from service.cli.show import print_runs; print_runs({runs!r})")
    assert done.returncode == 0, done.stderr
    assert "gaussian" in done.stdout
    assert "0.1" in done.stdout
    assert "0.2" in done.stdout


def test_what_is_missing_is_said_in_a_sentence(monkeypatch):
    asked = [
        "rich>=15",
        "rankward[arrow]; extra == 'server'",
        'torch>=2; extra == "server"',
        'pyarrow; extra == "arrow"',
    ]
    monkeypatch.setattr(extras, "requires", lambda _: asked)
    monkeypatch.setattr(extras, "_is_there", lambda package: package != "torch")
    check_installed("arrow", "A table")
    with pytest.raises(NotInstalled, match=r"^This command needs torch: run `pip install 'rankward\[server\]'`\.$"):
        check_installed("server", "This command")
    monkeypatch.setattr(extras, "_is_there", lambda package: False)
    with pytest.raises(NotInstalled, match=r"needs pyarrow, torch: "):
        check_installed("server", "This command")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: Path(path).name)
def test_the_wheel_alone_is_a_client(built, server, tmp_path, python):
    if subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} has no pip, or is not installed")
    subprocess.run([python, "-m", "venv", tmp_path], check=True)
    begun = time.monotonic()
    installed = [tmp_path / "bin/pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", built.wheel]
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # what pip finds, it leaves out
    subprocess.run(installed, check=True, capture_output=True, env=alone)
    (packages,) = tmp_path.glob("lib/python3*/site-packages")
    tools = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
    files = (path for path in packages.rglob("*") if path.relative_to(packages).parts[0].split("-")[0] not in tools)
    megabytes = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
    print(f"installed in {time.monotonic() - begun:.1f} s, {megabytes:.0f} MB")
    assert megabytes < MOST_MEGABYTES
    check_import(tmp_path / "bin/python", alone)
    check_commands(tmp_path / "bin/rankward", alone, server, tmp_path)


def check_import(python, environment):
    """By the processor's time, which a busy machine does not stretch; the best of five."""

    def seconds(code):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([python, "-c", code], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    least = min(seconds("from rankward import Rankward") for _ in range(5))
    print(f"imported in {least:.3f} s, Python's own start included")
    assert least < MOST_SECONDS_TO_IMPORT


def check_commands(rankward, environment, server, folder):
    environment = {**environment, "RANKWARD_URL": server.url, "COLUMNS": ""}

    def run(*arguments, status=0):
        command = [rankward, *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    (folder / "spec.json").write_text(json.dumps({"name": "light", "run": BASIC, "sweep": [{"seed": [0, 1]}]}))
    stored = json.loads(run("submit", "spec.json", "--wait", "--json"))
    assert stored["runs"]["succeeded"] == 2
    assert "gaussian" in run("runs", "--experiment", stored["id"])
    assert "first_look" in run("presets")
    run("figure", stored["id"], "--output", "figure.svg")
    assert (folder / "figure.svg").read_text().startswith("<?xml")
    run("export", "runs", "--format", "csv")
    (first, *_) = json.loads(run("runs", "--experiment", stored["id"], "--json"))
    assert "The same to the bit" in run("reproduce", first["id"])
    for command in SERVER_COMMANDS:
        assert "pip install 'rankward[server]'" in run(command, status=1)
    assert "pip install 'rankward[server]'" in run("keys", "list", status=1)
