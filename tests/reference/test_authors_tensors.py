"""Both tensor trajectories of the authors' own code, posted over HTTP as explicit starts, give their numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.reference.test_authors_numbers import assert_close
from tests.servers import Server

FILES = sorted((Path(__file__).parent / "data").glob("cp_*.json"))
SMOOTH_STEPS = 300


def experiment(setting: dict) -> dict:
    target = np.array(setting["target"])
    observed = [{"index": index, "value": float(target[tuple(index)])} for index in setting["observed_indices"]]
    tracked = [[int(i) for i in np.unravel_index(place, setting["shape"])] for place in range(8)]
    run = {
        "problem": {
            "kind": "completion",
            "shape": setting["shape"],
            "observations": observed,
            "target": setting["target"],
        },
        "model": {"kind": "cp_tensor", "rank": setting["rank"]},
        "init": {"kind": "explicit", "factors": setting["init_factors"]},
        "optimizer": setting["optimizer"],
        "stop": {"max_steps": setting["checkpoints"][-1]["step"]},
        "record": {"every": 1, "entries": tracked},
    }
    return {"name": setting["name"], "run": run}


@pytest.fixture(scope="module")
def trajectories(server: Server):
    settings = {file.stem: json.loads(file.read_text()) for file in FILES}
    posted = {name: server.client.submit(experiment(setting)) for name, setting in settings.items()}
    columns = {}
    for name, one in posted.items():
        assert server.client.wait(one["id"])["status"] == "succeeded"
        (run,) = server.client.runs(one["id"])
        columns[name] = server.client.trajectory(run["id"])["columns"]
    return settings, columns


def test_there_are_reference_files():
    assert len(FILES) == 2


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_the_authors_numbers(name, trajectories):
    setting, columns = trajectories[0][name], trajectories[1][name]
    for checkpoint in setting["checkpoints"]:
        step = checkpoint["step"]
        tolerance = 1e-9 if step <= SMOOTH_STEPS else 1e-5
        for column in ("loss", "reconstruction_error", "frobenius_norm"):
            assert_close([columns[column][step]], [checkpoint[column]], tolerance)
        assert_close(columns["component_norms"][step], checkpoint["top_component_norms"], tolerance)
        assert_close(columns["entries"][step], checkpoint["first_entries"], tolerance)
