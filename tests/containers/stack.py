"""docker-compose.yml in a Docker engine, and the commands that docs/containers.md has for it."""

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from service.client.api import Rankward
from tests.cluster.site import COMPOSE, ROOT, free_port, until

DOCUMENT = (ROOT / "docs" / "containers.md").read_text()
PATIENCE_SECONDS = 300
ONCE = {name for name, service in COMPOSE["services"].items() if service.get("restart") == "no"}
"""Services that do something once."""


def engine_says() -> str | None:
    """Why there is no engine to test with; None where there is one."""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=30, check=False)
        composes = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no Docker engine: {error}"
    if done.returncode or composes.returncode:
        return "no Docker engine, or no `docker compose`: see `docker info`"
    return None if os.geteuid() == 0 else "kills of containers' processes need root"


def documented(heading: str) -> str:
    """The commands below a heading of docs/containers.md."""
    section = re.split(rf"^#+ {re.escape(heading)}$", DOCUMENT, flags=re.MULTILINE)[1]
    return re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]


class Stack:
    """The services of docker-compose.yml as a project of their own, removed with their volumes at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory, port = directory, free_port()
        (directory / "password").write_text(password := secrets.token_hex(24))
        (directory / "url").write_text(f"postgresql+psycopg://rankward:{password}@postgres/rankward\n")
        files = {"postgres_password": directory / "password", "database_url": directory / "url"}
        override = {"secrets": {name: {"file": str(file)} for name, file in files.items()}}
        (directory / "override.yml").write_text(json.dumps(override))
        self.environment: Mapping[str, str] = {
            **os.environ,
            "COMPOSE_FILE": f"{ROOT / 'docker-compose.yml'}:{directory / 'override.yml'}",
            "COMPOSE_PROJECT_NAME": "rankward-test",
            "RANKWARD_VERSION": "test",
            "RANKWARD_PUBLISH": f"127.0.0.1:{port}",
        }
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> "Stack":
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._end()

    def _start(self) -> None:
        self.shell(documented("Upgrade").splitlines()[0])  # the build
        key = self.shell(
            "docker compose run --rm migrate && docker compose run --rm migrate keys create test --scope admin"
        )
        self.client = Rankward(self.url, key.split()[-1])
        self.shell("docker compose up --detach --wait")

    def _end(self) -> None:
        self.shell("docker compose logs --no-color > containers.log 2>&1; docker compose down --volumes")

    def shell(self, commands: str) -> str:
        """What commands write, which must succeed, run in the stack's directory."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def containers(self, service: str) -> list[str]:
        """Ids of a service's containers."""
        return self.shell(f"docker compose ps --quiet {service}").split()

    def inspected(self, container: str) -> dict:
        """What the engine knows of a container."""
        return json.loads(self.shell(f"docker inspect {container}"))[0]

    def is_well(self, container: str) -> bool:
        """Whether a container runs, and is healthy where that is checked."""
        state = self.inspected(container)["State"]
        return state["Running"] and state.get("Health", {"Status": "healthy"})["Status"] == "healthy"

    def kill(self, service: str) -> float:
        """SIGKILL for the first process of a service's first container; returns the seconds until it is well again.

        `docker kill` would count as stopped by hand, and nothing would start it again.
        """
        container = self.containers(service)[0]
        before = self.inspected(container)["State"]
        os.kill(before["Pid"], signal.SIGKILL)
        begun = time.monotonic()
        until(lambda: self.inspected(container)["State"]["StartedAt"] != before["StartedAt"], f"{service} again", 120)
        until(lambda: self.is_well(container), f"{service} well", PATIENCE_SECONDS)
        return time.monotonic() - begun
