"""One container, as docs/containers.md starts it: its guide, and an upgrade of the oldest database in its volume."""

import os
import re
import subprocess

import httpx2
import pytest
from alembic import command

from service.client.api import Rankward
from service.store.database import Database
from service.store.migrate import alembic_config
from tests.cluster.site import ROOT, free_port, until
from tests.containers.stack import PATIENCE_SECONDS, documented, engine_says
from tests.store import first_schema

IMAGE, NAME = "rankward:test", "rankward-single-test"


def shell(commands):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Single:
    """A container of the documented commands, under a name and a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        text = documented("One container")
        changed = {
            "rankward:0.1.0": IMAGE,
            "--name rankward": f"--name {NAME}",
            "--volume rankward:": f"--volume {NAME}:",
            "127.0.0.1:8000:8000": f"127.0.0.1:{self.port}:8000",
        }
        for old, new in changed.items():
            assert old in text
            text = text.replace(old, new)
        self.build, self.keys, self.start, _ = re.sub(r"\\\n\s*", "", text).strip().splitlines()

    @property
    def client(self):
        return Rankward(f"http://127.0.0.1:{self.port}", self.key)

    def begin(self):
        """Start the container, and wait until it is healthy."""
        shell(self.start)
        healthy = f"docker inspect --format '{{{{.State.Health.Status}}}}' {NAME}"
        until(lambda: shell(healthy).strip() == "healthy", "healthy", PATIENCE_SECONDS)

    def remove(self):
        shell(f"docker rm --force {NAME}")

    def put(self, file):
        """Copy a file into the volume, as the user of the image."""
        os.chmod(file, 0o644)
        copy = f"--volume {NAME}:/data --volume {file}:/old.db:ro --entrypoint cp {IMAGE} /old.db /data/rankward.db"
        shell(f"docker run --rm {copy}")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The container on a volume with a database of the first schema, upgraded at its start."""
    if why := engine_says():
        pytest.skip(why)
    single = Single()
    try:
        shell(single.build)
        single.put(oldest_database(tmp_path_factory.mktemp("old") / "rankward.db"))
        shell(f"docker run --rm --volume {NAME}:/data {IMAGE} migrate")
        single.key = shell(single.keys).split()[-1]
        single.begin()
        with single.client as client:
            client.cancel(first_schema.EXPERIMENT["public_id"])  # two of its runs would go on for ever
        yield single
    finally:
        shell(f"docker rm --force {NAME}; docker volume rm --force {NAME}")


def oldest_database(path):
    database = Database(f"sqlite:///{path}")
    command.upgrade(alembic_config(database.url), "0001")
    with database.writing() as connection:
        first_schema.fill(connection)
    database.close()
    return path


def oldest(client):
    """The experiment that the old database held, and the trajectory of its first run."""
    experiment = client.experiment(first_schema.EXPERIMENT["public_id"])
    first = next(client.runs(experiment["id"], order_by="index"))
    return {name: experiment[name] for name in ("name", "tags", "created_at")}, client.trajectory(first["id"])


def test_the_guide_is_in_the_image_and_its_tools_are_not(single):
    with httpx2.Client(base_url=single.client.url) as http:
        assert "<title>Rankward</title>" in http.get("/guide/index.html").raise_for_status().text
        assert http.get("/guide/presets/figure_1.html").is_success
        assert http.get("/guide/presets/figure_1.light.png").headers["content-type"] == "image/png"
    missing = "import importlib.util, sys; sys.exit(importlib.util.find_spec('mkdocs') is not None)"
    shell(f'docker exec {NAME} python -c "{missing}"')


def test_the_oldest_database_is_upgraded_and_keeps_what_it_held(single):
    with single.client as client:
        experiment, trajectory = oldest(client)
        assert experiment["name"] == first_schema.EXPERIMENT["name"]
        assert experiment["tags"] == {"paper": "2005.06398"}
        assert trajectory["columns"]["loss"] == list(first_schema.LOSSES)


def test_what_was_upgraded_survives_down_and_up_and_goes_on(single):
    with single.client as client:
        before = oldest(client)
        done = client.wait(client.submit(client.preset("first_look"))["id"])
        assert done["runs"]["succeeded"] == done["runs"]["total"]
    single.remove()
    single.begin()
    with single.client as client:
        assert oldest(client) == before
        assert client.experiment(done["id"])["runs"] == done["runs"]
