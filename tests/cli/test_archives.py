"""archive, import and prune from the command line."""

import json

import pytest

from tests.cli.shells import piped
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.processes


@pytest.fixture
def experiment(server: Server):
    swept = {"name": "old", "tags": {"archived": "yes"}, "run": BASIC, "sweep": [{"seed": [0, 1]}]}
    return server.client.wait(server.client.submit(swept)["id"])


def test_a_dry_run_says_what_it_would_remove_and_removes_nothing(server, experiment):
    said = piped(server, "prune", "--older-than", "0h", "--where", "tags.archived = 'yes'")
    assert said.returncode == 0, said.stderr
    assert experiment["id"] in said.stdout
    assert "Nothing is removed" in said.stdout
    assert server.client.experiment(experiment["id"])["runs"]["total"] == 2
    young = piped(server, "prune", "--older-than", "30d", "--yes", "--json")
    assert json.loads(young.stdout) == {"removed": True, "items": []}
    assert server.client.experiment(experiment["id"])["id"] == experiment["id"]


def test_what_is_pruned_into_a_folder_comes_back(server, experiment, tmp_path):
    before = list(server.client.runs(experiment["id"]))
    points = [server.client.trajectory(run["id"]) for run in before]
    only = f"id = '{experiment['id']}'"
    done = piped(
        server, "prune", "--older-than", "0h", "--where", only, "--archive", str(tmp_path / "kept"), "--yes", "--json"
    )
    assert [item["id"] for item in json.loads(done.stdout)["items"]] == [experiment["id"]]
    assert list(server.client.runs(where=f"experiment_id = '{experiment['id']}'")) == []
    (file,) = (tmp_path / "kept").iterdir()
    assert "2 runs" in piped(server, "import", str(file)).stdout
    assert "already" in piped(server, "import", str(file)).stdout
    assert list(server.client.runs(experiment["id"])) == before
    assert [server.client.trajectory(run["id"]) for run in before] == points


def test_one_experiment_is_archived_and_stays(server, experiment, tmp_path):
    file = tmp_path / "one.parquet"
    assert "Wrote" in piped(server, "archive", experiment["id"][-8:], "-o", str(file)).stdout
    assert file.read_bytes()[:4] == b"PAR1"
    assert server.client.experiment(experiment["id"])["id"] == experiment["id"]


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1y"])
def test_a_wrong_age_is_a_sentence(server, age):
    said = piped(server, "prune", f"--older-than={age}")
    assert said.returncode == 1
    assert "30d" in said.stderr
