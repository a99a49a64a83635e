"""The wheel, installed where there is nothing else: the client alone, small and soon imported."""

import json
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.distributions import ROOT, build, copy_sources
from tests.helpers.specs import BASIC

MOST_MEGABYTES = 60
MOST_SECONDS_TO_IMPORT = 0.3
SERVER_COMMANDS = ("serve", "api", "dispatcher", "migrate", "compact", "demo", "scheduler", "settings")
PYTHONS = [path for minor in range(11, 16) if (path := shutil.which(f"python3.{minor}"))]


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: Path(path).name)
def test_the_wheel_alone_is_a_client(server, tmp_path, tmp_path_factory, python):
    if subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} has no pip, or is not installed")
    wheel = build("wheel", copy_sources(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("wheel"))
    subprocess.run([python, "-m", "venv", tmp_path], check=True)
    begun = time.monotonic()
    installed = [tmp_path / "bin/pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel]
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
