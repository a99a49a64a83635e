"""A site as docker-compose.yml describes it, its services started as processes from their very commands."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from ruamel.yaml import YAML

from service.client.api import Rankward

ROOT = Path(__file__).parents[2]
COMPOSE = YAML(typ="safe", pure=True).load((ROOT / "docker-compose.yml").read_text())
PATIENCE_SECONDS = 120
"""A worker's start loads torch, which takes a busy machine a while."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError(f"within {seconds} s not {what}")


class Site:
    """Database, certificates, scheduler, two workers, a dispatcher and two API replicas; ends them all at the end.

    What differs from the containers: service names are the loopback, ports are free ones, volumes are directories, and
    the database is the one whose URL stands in the secret's file (SQLite, unless another is given).
    """

    def __init__(self, directory: Path, database_url: str | None = None, **environment: str) -> None:
        self.directory = directory
        self.scheduler_port = free_port()
        self.dispatcher_way = self.scheduler_port
        self._metrics_port = free_port()
        self._environment = {"RANKWARD_SLICE_SECONDS": "0.3", "RANKWARD_WORKERS": "2"} | environment
        self.network: Any = None
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.clients: list[Rankward] = []
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "database_url").write_text(database_url or f"sqlite:///{directory / 'rankward.db'}\n")

    def __enter__(self) -> "Site":
        try:
            self.once("certificates")
            self.once("migrate")
            self.key = json.loads(self.once("migrate", "keys", "create", "test", "--scope", "admin", "--json"))["key"]
            for service in ("scheduler", "worker", "dispatcher"):
                self.start(service)
            self.clients = [Rankward(self.start_api(name), self.key) for name in ("api", "api-2")]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.close()
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def once(self, service: str, *instead: str) -> str:
        """Run a one-off service to its end."""
        command = self._command(service) if not instead else [sys.executable, "-m", "service.cli", *instead]
        done = subprocess.run(
            command, env=self._env(service), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, service: str, name: str | None = None, port: int | None = None) -> None:
        with self.log(name or service).open("ab") as log:
            self.processes[name or service] = subprocess.Popen(
                self._command(service, port), env=self._env(service, port), stderr=log, stdout=log
            )

    def start_api(self, name: str) -> str:
        port = free_port()
        self.start("api", name, port)
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(url), f"ready: {self.log(name).read_text()}")
        return url

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def metrics(self, port: int | None = None) -> dict[str, float]:
        """The metrics of the dispatcher, or of another one that was started with a port for them."""
        try:
            text = httpx2.get(f"http://127.0.0.1:{port or self._metrics_port}/metrics").text
        except httpx2.TransportError:
            return {}
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def workers(self, port: int | None = None) -> int:
        return int(self.metrics(port).get("rankward_dispatcher_workers", 0))

    def _command(self, service: str, port: int | None = None) -> list[str]:
        arguments = COMPOSE["services"][service]["command"]
        return [sys.executable, "-m", "service.cli", *(self._here(one, service, port) for one in arguments)]

    def _env(self, service: str, port: int | None = None) -> dict[str, str]:
        described = COMPOSE["services"][service].get("environment", {})
        given = {name: self._here(value, service, port) for name, value in described.items()}
        return {**os.environ, "RANKWARD_DATA_DIR": str(self.directory), **given, **self._environment}

    def _here(self, value: str, service: str, port: int | None = None) -> str:
        """A value of the file as it is on this machine."""
        way = self.dispatcher_way if service == "dispatcher" else self.scheduler_port
        value = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
        value = value.replace("tls://scheduler:8786", f"tls://127.0.0.1:{way}")
        value = value.replace("/certificates", str(self.directory / "certificates"))
        value = value.replace("/run/secrets", str(self.directory)).replace("/data/", f"{self.directory}/")
        ports = {"8786": self.scheduler_port, "8000": port, "9100": port or self._metrics_port}
        return str(ports.get(value, value))


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False
