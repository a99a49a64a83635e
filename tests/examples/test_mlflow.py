"""`rankward export mlflow` into MLflow itself, where it is installed: `pip install 'rankward[mlflow]'`."""

import io
import json
import subprocess
import sys
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest

from tests.examples.running import said
from tests.helpers.specs import BASIC

mlflow = pytest.importorskip("mlflow", reason="`pip install 'rankward[mlflow]'` brings it")
pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow's own calls of its libraries
COLUMNS = {"loss", "unobserved_entry", "singular_values.1"}


@pytest.fixture
def store(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def exported(environment, store, experiment, folder, *options):
    command = [sys.executable, "-m", "service.cli", "export", "mlflow", "--experiment", experiment["id"]]
    return said([*command, "--tracking-uri", store, *options], environment, folder)


def runs_of(store, experiment):
    """The client, MLflow's experiment, and its runs by the ids of ours."""
    client = mlflow.MlflowClient(store)
    (made,) = client.search_experiments(filter_string=f"tags.`rankward.experiment_id` = '{experiment['id']}'")
    return client, made, {run.data.tags["rankward.run_id"]: run for run in client.search_runs([made.experiment_id])}


def test_runs_come_whole(server, environment, experiment, store, tmp_path):
    assert "Wrote 4 runs into" in exported(environment, store, experiment, tmp_path)
    client, made, runs = runs_of(store, experiment)
    assert made.name == f"small {experiment['id'][-8:]}"
    assert made.tags["paper"] == "2005.06398"
    for run in server.client.runs(experiment["id"]):
        kept = runs[run["id"]]
        assert kept.info.status == "FINISHED"
        assert kept.data.params["model.depth"] == str(run["spec"]["model"]["depth"])
        assert kept.data.params["optimizer.learning_rate"] == "0.01"
        assert kept.data.tags["outcome"] == run["outcome"]
        assert kept.data.tags["computed_with.torch"]
        columns = server.client.trajectory(run["id"])["columns"]
        history = client.get_metric_history(kept.info.run_id, "loss")
        assert [(metric.step, metric.value) for metric in history] == list(
            zip(columns["step"], columns["loss"], strict=True)
        )
        assert set(kept.data.metrics) >= COLUMNS | {"summary.steps", "summary.first_step_below.1e-1"}
        check_artifacts(server, kept, run, tmp_path)


def check_artifacts(server, kept, run, folder):
    artifacts = import_module("mlflow.artifacts")
    got = artifacts.download_artifacts(
        artifact_uri=kept.info.artifact_uri, dst_path=str(folder / f"artifacts {run['index']}")
    )
    with open(f"{got}/run.json") as file:
        assert json.load(file)["spec"] == run["spec"]
    with np.load(f"{got}/factors.npz") as factors, np.load(io.BytesIO(server.client.factors(run["id"]))) as ours:
        assert all((factors[name] == ours[name]).all() for name in ours)


def test_a_second_export_writes_what_went_on_alone(server, environment, store, tmp_path):
    spec = {**BASIC, "stop": {"max_steps": 50}}
    experiment = server.client.wait(
        server.client.submit({"name": "a/'b'", "run": spec, "sweep": [{"seed": [0, 1]}]})["id"]
    )
    thin = ("--metrics", "loss", "--max-points", "5")
    assert "Wrote 2 runs" in exported(environment, store, experiment, tmp_path, *thin)
    assert "Wrote 0 runs" in (again := exported(environment, store, experiment, tmp_path, *thin))
    assert "2 were there already" in again
    first = next(server.client.runs(experiment["id"]))
    server.client.extend(first["id"], max_steps=100)
    server.client.wait(experiment["id"])
    assert "Wrote 1 run into" in exported(environment, store, experiment, tmp_path, *thin)
    client, _, runs = runs_of(store, experiment)
    assert len(runs) == 2
    kept = runs[first["id"]]
    assert kept.data.tags["rankward.state"] == "succeeded at step 100"
    steps = [metric.step for metric in client.get_metric_history(kept.info.run_id, "loss")]
    assert len(steps) <= 5
    assert (steps[0], steps[-1]) == (0, 100)
    assert all(earlier < later for earlier, later in pairwise(steps))


def test_what_mlflow_refuses_is_a_sentence(environment, experiment, tmp_path):
    command = [sys.executable, "-m", "service.cli", "export", "mlflow", "--tracking-uri", "nothing://x"]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "MLflow refused." in ended.stderr
    assert "Traceback" not in ended.stderr
