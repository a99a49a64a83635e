"""The API as a real uvicorn process: what it imports, and what before it is ready."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from service.settings import Settings
from service.store.migrate import migrate

pytestmark = pytest.mark.processes

FORBIDDEN = ("torch", "warp", "dask", "distributed", "cvxpy", "clarabel", "scs", "plotly")
LOADED_WHEN_NEEDED = ("matplotlib", "pyarrow", "scipy")
MOST_MODULES = 1600
"""There are 1300; torch alone would bring a thousand more."""


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(port, data_dir, log, *python_options):
    migrate(Settings(data_dir=data_dir).url)
    command = [
        sys.executable,
        *python_options,
        "-m",
        "uvicorn",
        "--factory",
        "service.app:create_app",
        "--port",
        str(port),
    ]
    environment = {**os.environ, "RANKWARD_DATA_DIR": str(data_dir)}
    return subprocess.Popen(command, stderr=log, env=environment)


def until_ready(port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/livez").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.01)
    raise AssertionError("the API did not become ready")


def modules(log):
    """The modules that `-X importtime` has written of."""
    return set(re.findall(r"\| +([\w.]+)\n", log))


def test_it_imports_no_torch_no_warp_and_no_dask(tmp_path: Path, port: int):
    with (tmp_path / "log").open("w+") as log:
        process = started(port, tmp_path, log, "-X", "importtime")
        until_ready(port)
        base = f"http://127.0.0.1:{port}"
        preset = httpx2.get(f"{base}/v1/presets/first_look").json()
        posted = httpx2.post(f"{base}/v1/experiments", json=preset)
        run = httpx2.get(f"{base}/v1/runs").json()["items"][0]["id"]
        for path in (
            posted.headers["location"],
            f"/v1/runs/{run}/trajectory",
            f"/v1/runs/{run}/theory",
            f"/v1/runs/{run}/factors",
            "/v1/runs?where=seed=0&order_by=summary.loss&format=csv",
            "/v1/trajectories?format=parquet",
            f"{posted.headers['location']}/summary?group_by=model.depth",
            f"{posted.headers['location']}/curves",
            "/openapi.json",
            "/",
            posted.headers["location"].removeprefix("/v1"),
            f"/runs/{run}",
            "/new",
            f"{posted.headers['location']}/figures/metrics.json",
        ):
            assert httpx2.get(base + path).status_code in (200, 409)
        httpx2.get(f"{base}{posted.headers['location']}/figures/unobserved_entry.png")
        process.terminate()
        process.wait(20)
        log.seek(0)
        imported = modules(log.read())
    assert "fastapi" in imported
    assert not [name for name in imported if name.split(".")[0] in FORBIDDEN]


def test_it_is_ready_before_anything_heavy_is_loaded(tmp_path: Path, port: int):
    """The promise is 2 s, which no test of a shared machine can hold it to: a module takes about a millisecond."""
    with (tmp_path / "log").open("w+") as log:
        process = started(port, tmp_path, log, "-X", "importtime")
        until_ready(port)
        log.seek(0)
        imported = modules(log.read())
        process.terminate()
        process.wait(20)
    assert "fastapi" in imported
    assert not [name for name in imported if name.split(".")[0] in (*FORBIDDEN, *LOADED_WHEN_NEEDED)]
    assert len(imported) < MOST_MODULES
