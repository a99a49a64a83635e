"""A home that cannot be written: libraries write elsewhere, and without any directory for kernels torch computes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.processes import caches
from service.processes.caches import can_be_written, lead_caches, private_directory
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.processes

NOWHERE = Path("/proc/1/nowhere")
"""A directory that not even root can make."""

VARIABLES = ("WARP_CACHE_PATH", "MPLCONFIGDIR", "CUDA_CACHE_PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
SLICE = """
import json, sys
from workers.records import Batch, Budget, Member
from workers.slices import run_slice
result = run_slice(Batch((Member(sys.argv[1], None), Member(sys.argv[1], None))), Budget(60))
print(json.dumps([result.engine, [run.outcome for run in result.progress]]))
"""
FUSED = {**BASIC, "engine": "fused"}


@pytest.fixture(autouse=True)
def no_caches_named(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # restored after the test, whatever it sets
        monkeypatch.delenv(name)


def test_an_unwritable_home_leads_every_cache_to_the_data_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(NOWHERE))
    lead_caches(tmp_path)
    led = {name: os.environ.get(name) for name in ("WARP_CACHE_PATH", "MPLCONFIGDIR", "CUDA_CACHE_PATH")}
    assert led == {
        name: str(tmp_path / "cache" / library)
        for name, library in zip(led, ("warp", "matplotlib", "cuda"), strict=True)
    }


@pytest.mark.parametrize("name", ["WARP_CACHE_PATH", "MPLCONFIGDIR", "CUDA_CACHE_PATH"])
def test_a_variable_that_names_an_unwritable_directory_is_led_elsewhere(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(name, str(NOWHERE))
    lead_caches(tmp_path)
    assert os.environ[name].startswith(str(tmp_path / "cache"))
    assert [other for other in VARIABLES if os.environ.get(other)] == [name]


def test_a_home_that_can_be_written_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    lead_caches(tmp_path)
    assert not any(os.environ.get(name) for name in VARIABLES)
    assert not list(tmp_path.iterdir())


def test_without_a_data_directory_it_is_a_private_temporary_one(tmp_path):
    directory = private_directory(NOWHERE, "cache")
    assert can_be_written(directory)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_without_a_home_relative_paths_are_no_caches(monkeypatch):
    monkeypatch.setattr(caches.os.path, "expanduser", lambda path: path)
    assert not can_be_written(Path("~/.cache/warp"))


@pytest.mark.parametrize("engine", ["auto", "fused"])
def test_torch_computes_where_no_kernel_can_be_compiled(engine):
    done = subprocess.run(
        [sys.executable, "-c", SLICE, json.dumps({**BASIC, "engine": engine})],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "WARP_CACHE_PATH": str(NOWHERE)},
    )
    assert done.stdout, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["torch", ["budget_exhausted", "budget_exhausted"]]
    assert "gives way to torch" in done.stderr


def test_serve_computes_and_draws_without_a_home(tmp_path, capfd):
    with Server(tmp_path / "data", HOME=str(NOWHERE)) as server:
        experiment = server.client.submit({"run": FUSED})
        assert server.client.wait(experiment["id"])["status"] == "succeeded"
        assert {run["engine"] for run in server.client.runs(experiment["id"])} == {"fused"}
    said = capfd.readouterr().err
    assert said.count("a cache is elsewhere") == 3
    assert list((tmp_path / "data" / "cache" / "warp").rglob("*.o"))
