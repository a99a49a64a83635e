"""Every matrix trajectory of the authors' own code, posted over HTTP as an explicit start, gives their numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from service.client.api import Rankward

FILES = sorted((Path(__file__).parent / "data").glob("completion_*.json"))
SMOOTH_STEPS = 1000


def experiment(setting: dict, engine: str) -> dict:
    size = setting["shape"][0]
    run = {
        "problem": {"kind": "completion", "shape": setting["shape"], "observations": setting["observations"]},
        "model": {"kind": "deep_matrix", "depth": setting["depth"]},
        "init": {"kind": "explicit", "factors": setting["init_factors"]},
        "optimizer": setting["optimizer"],
        "stop": {"max_steps": setting["checkpoints"][-1]["step"]},
        "record": {"every": 1, "entries": [[i, j] for i in range(size) for j in range(size)]},
        "engine": engine,
    }
    return {"name": setting["name"], "run": run}


def assert_close(ours, theirs, tolerance):
    """Relative, and absolute where the authors' number is below 1e-12 in size."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    small = np.abs(theirs) < 1e-12
    np.testing.assert_allclose(ours[~small], theirs[~small], rtol=tolerance, atol=0)
    np.testing.assert_allclose(ours[small], theirs[small], rtol=0, atol=tolerance)


@pytest.fixture(scope="module", params=["torch", "fused"])
def trajectories(client: Rankward, request: pytest.FixtureRequest):
    settings = {file.stem: json.loads(file.read_text()) for file in FILES}
    posted = {name: client.submit(experiment(setting, request.param)) for name, setting in settings.items()}
    columns = {}
    for name, one in posted.items():
        assert client.wait(one["id"])["status"] == "succeeded"
        (run,) = client.runs(one["id"])
        assert run["engine"] == request.param
        columns[name] = client.trajectory(run["id"])["columns"]
    return settings, columns


def test_there_are_reference_files():
    assert len(FILES) == 5


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_the_authors_numbers(name, trajectories):
    settings, columns = trajectories[0][name], trajectories[1][name]
    assert columns["step"] == list(range(settings["checkpoints"][-1]["step"] + 1))
    for checkpoint in settings["checkpoints"]:
        step = checkpoint["step"]
        tolerance = 1e-9 if step <= SMOOTH_STEPS else 1e-6
        assert_close([columns["loss"][step]], [checkpoint["loss"]], tolerance)
        assert_close(columns["entries"][step], np.ravel(checkpoint["product"]), tolerance)
        assert_close(columns["frobenius_norm"][step], checkpoint["frobenius_norm"], tolerance)
        assert_close(columns["nuclear_norm"][step], checkpoint["nuclear_norm"], tolerance)
        assert_close(columns["effective_rank"][step], checkpoint["effective_rank"], tolerance)
        assert_close(columns["singular_values"][step], checkpoint["singular_values"], tolerance)
