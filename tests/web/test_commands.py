"""What pages offer as curl, Python and the command line, run as it is copied."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from service.settings import Settings
from service.use_cases.keys import create_key
from service.values.visible import visible
from service.web.commands import shell_text
from tests.helpers.api_server import serving
from tests.helpers.html import parsed
from tests.helpers.specs import BASIC
from tests.helpers.texts import HOSTILE

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
FUNCTION = f'rankward() {{ "{sys.executable}" -m service.cli "$@"; }}\n'
PAPER = 'it\'s $HOME `id` "q" \\ & 日本 🎉'
SWEPT = {
    "name": PAPER,
    "tags": {"paper": PAPER},
    "run": BASIC | {"stop": {"max_steps": 50}},
    "sweep": [{"seed": [0, 1, 2]}],
}
FILTER = "tags.paper = '" + PAPER.replace("'", "''") + "' AND seed >= 1"


@pytest.fixture
def environment(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RANKWARD_", "COLUMNS"))}
    paths = f"{ROOT}{os.pathsep}{ROOT / 'service' / 'import_name'}"
    return {**kept, "PYTHONPATH": paths, "HOME": str(tmp_path), "no_proxy": "*"}


def commands_of(client, path, **query):
    """What a page offers, by its heading."""
    answer = client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    (details,) = parsed(answer.text).all("details")
    headings = [one.text for one in details.all("h3")]
    return dict(zip(headings, [one.text for one in details.all("pre")], strict=True))


class Shell:
    """Runs what was copied."""

    def __init__(self, folder, environment):
        self._folder, self._environment = folder, environment

    def bash(self, lines):
        """What each line prints."""
        return [self._output(["bash", "-c", FUNCTION + line]) for line in lines.splitlines()]

    def python(self, code, *names):
        """Values that the code gives names to."""
        return json.loads(
            self._output([sys.executable, "-c", f"{code}\nimport json\nprint(json.dumps([{', '.join(names)}]))"])
        )

    def _output(self, command):
        ended = subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, timeout=60, check=False
        )
        assert ended.returncode == 0, (command, ended.stderr.decode())
        return ended.stdout.decode()


@pytest.fixture
def shell(tmp_path, environment):
    return Shell(tmp_path, environment)


@pytest.fixture
def client(settings):
    with serving(settings) as (host, port), httpx2.Client(base_url=f"http://{host}:{port}", trust_env=False) as client:
        yield client


def test_a_list_with_its_filter(api, finish, client, shell):
    finish(SWEPT)
    finish(SWEPT | {"name": "other"})
    name = "name = '" + PAPER.replace("'", "''") + "'"
    offered = commands_of(client, "/", where=name, order_by="-created_at")
    (found,) = shell.bash(offered["curl"])
    expected = api.get("/v1/experiments", params={"where": name}).json()["items"]
    assert json.loads(found)["items"] == shell.python(offered["Python"], "experiments")[0] == expected
    assert len(expected) == 1
    (table,) = shell.bash(offered["Command line"])
    assert [line.split()[0] for line in table.splitlines()[2:]] == [one["id"] for one in expected]


def test_an_experiment_with_its_filter_and_its_page(api, finish, client, shell):
    public_id = finish(SWEPT)["id"]
    offered = commands_of(client, f"/experiments/{public_id}", where=FILTER, order_by="-seed")
    one, page = (json.loads(said) for said in shell.bash(offered["curl"]))
    expected = api.get("/v1/runs", params={"where": FILTER, "order_by": "-seed"}).json()["items"]
    assert [run["spec"]["seed"] for run in expected] == [2, 1]
    assert (one["id"], page["items"]) == (public_id, expected)
    assert shell.python(offered["Python"], "experiment['id']", "runs") == [public_id, expected]
    (table,) = shell.bash(offered["Command line"])
    assert [line.split()[0] for line in table.splitlines()[2:4]] == [run["id"] for run in expected]


def test_groups(api, finish, client, shell):
    public_id = finish(SWEPT)["id"]
    asked = {"metric": "loss,steps", "group_by": 'seed,tags."paper"', "where": FILTER}
    offered = commands_of(client, f"/experiments/{public_id}/groups", **asked)
    (found,) = shell.bash(offered["curl"])
    expected = api.get(f"/v1/experiments/{public_id}/summary", params=asked).json()["items"]
    assert len(expected) == 4
    assert json.loads(found)["items"] == shell.python(offered["Python"], "groups")[0] == expected
    (table,) = shell.bash(offered["Command line"])
    assert len(table.splitlines()) == 2 + 4


def test_a_run(api, finish, client, shell, tmp_path):
    finish(SWEPT)
    run = api.get("/v1/runs").json()["items"][1]
    offered = commands_of(client, f"/runs/{run['id']}")
    one, points = (json.loads(said) for said in shell.bash(offered["curl"]))
    assert (one, points) == (run, api.get(f"/v1/runs/{run['id']}/trajectory").json())
    assert shell.python(offered["Python"], "run", "points") == [one, points]
    shell.bash(offered["Command line"])
    assert len((tmp_path / "trajectory.csv").read_text().splitlines()) == points["points"] + 1


def test_a_comparison(finish, client, shell, tmp_path):
    first, second = (finish(SWEPT | {"name": name})["id"] for name in ("A", "B"))
    offered = commands_of(client, f"/compare?experiment={first}&experiment={second}&metric=loss")
    figure = tmp_path / "compare.png"
    _, *spreads = shell.bash(offered["curl"])
    drawn = figure.read_bytes()
    assert drawn.startswith(b"\x89PNG")
    expected = [client.get(f"/v1/experiments/{one}/summary?metric=loss").json()["items"] for one in (first, second)]
    assert [json.loads(spread)["items"] for spread in spreads] == expected
    assert shell.python(offered["Python"], "spreads") == [expected]
    assert figure.read_bytes() == drawn
    figure.unlink()
    shell.bash(offered["Command line"])
    assert figure.read_bytes() == drawn


def test_behind_a_proxy_and_with_keys_the_address_is_the_public_one(settings, database, tmp_path, environment):
    given = {"public_origin": "https://lab.example", "root_path": "/lab", "require_keys": True}
    key = create_key(database, "reader", ["read"], {})
    changed = Settings.model_validate({**settings.model_dump(), **given})
    with serving(changed) as (host, port), httpx2.Client(base_url=f"http://{host}:{port}", trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        offered = commands_of(client, "/lab/", where="runs.total = 1")
        assert key not in client.get("/lab/").text
        direct = offered["curl"].replace("https://lab.example", f"http://{host}:{port}")
        (found,) = Shell(tmp_path, environment | {"RANKWARD_API_KEY": key}).bash(direct)
    assert json.loads(found)["items"] == []
    assert "https://lab.example/lab/v1/experiments" in offered["curl"]
    assert "'https://lab.example/lab'" in offered["Python"]
    assert "--url=https://lab.example/lab" in offered["Command line"]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_one_word_of_a_shell_and_shows_all_of_itself(shell, text):
    word = shell_text(text)
    assert visible(word) == word
    assert shell.bash(f"printf %s {word}") == [text]
