"""A small experiment, and an environment in which examples find it."""

import os
import sys

import pytest

from tests.examples.running import ROOT, SMALL
from tests.helpers.servers import Server


@pytest.fixture(scope="module")
def experiment(server: Server):
    return server.client.wait(server.client.submit(SMALL)["id"])


@pytest.fixture
def environment(server: Server, experiment, tmp_path):
    """Where the examples find the server, its experiment and the command line."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "rankward"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m service.cli "$@"\n')
    command.chmod(0o755)
    run = next(server.client.runs(experiment["id"], where="model.depth = 3"))["id"]
    return {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RANKWARD_URL": server.url,
        "EXPERIMENT": experiment["id"],
        "RUN": run,
    }
