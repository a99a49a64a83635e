"""The service as it runs at scale: an API and some dispatchers as processes of their own, beside a database."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import sqlalchemy as sa

from service.store.database import DATABASE_AWAY, Database
from service.store.dispatchers import database_now, read_leases
from service.store.migrate import migrate
from service.store.tables import runs
from tests.helpers.postgresql import PostgreSQL

LEASE_SECONDS = 4.0
SECONDS_TO_RECOVER = 240.0
"""Patience, not a promise: on a busy machine worker processes take a minute to start."""


class Deployment:
    """Starts all roles; a context manager that ends them.

    Args:
        server: the PostgreSQL server to use, to be killed too, with three dispatchers that share the work; when None
            SQLite in `folder`, with two of which one works.
    """

    def __init__(self, folder: Path, server: PostgreSQL | None) -> None:
        self.folder, self.server = folder, server
        self._dispatchers = ("first", "second", "third") if server else ("first", "second")
        self._database_url = server.url(server.create()) if server else f"sqlite:///{folder / 'rankward.db'}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.http = httpx2.Client(base_url=self.url, timeout=10)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.held_down: set[str] = set()
        self._killed: set[int] = set()
        self._log = (folder / "log").open("ab")

    def __enter__(self) -> "Deployment":
        migrate(self._database_url)
        self._database = Database(self._database_url, 1.0)
        for role in ("api", *self._dispatchers):
            self.start(role)
        self.until(self.is_ready)
        self.until(self.is_complete)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(60)
        self._database.close()
        self.http.close()
        self._log.close()

    def start(self, role: str) -> None:
        """Start `api`, or the dispatcher of a name."""
        arguments = ["api", "--port", str(self._port)] if role == "api" else ["dispatcher", "--name", role]
        environment = {
            "RANKWARD_DATABASE_URL": self._database_url,
            "RANKWARD_WORKERS": "1" if self.server else "2",
            "RANKWARD_SLICE_SECONDS": "0.2",
            "RANKWARD_LEASE_SECONDS": str(LEASE_SECONDS),
            "RANKWARD_BUSY_SECONDS": "5",
        }
        command = [sys.executable, "-m", "service.cli", *arguments, "--data-dir", str(self.folder)]
        self.processes[role] = subprocess.Popen(command, env={**os.environ, **environment}, stderr=self._log)

    def kill(self, role: str) -> None:
        """SIGKILL."""
        with suppress(*DATABASE_AWAY), self._database.reading() as connection:
            self._killed.update(lease.id for lease in read_leases(connection) if lease.name == role)
        self.processes[role].kill()
        self.processes[role].wait()

    def at_work(self) -> tuple[str, ...]:
        """The roles of the dispatchers at work; of one that was killed the lease lives on for a while."""
        with suppress(*DATABASE_AWAY), self._database.reading() as connection:
            now = database_now(connection)
            leases = [lease for lease in read_leases(connection) if lease.id not in self._killed]
            return tuple(lease.name for lease in leases if lease.is_alive(now))
        return ()

    def is_complete(self) -> bool:
        """Whether all dispatchers are at work that can be."""
        return len(self.at_work()) == (len(self._dispatchers) if self.server else 1)

    def slices_of(self, role: str) -> str:
        """What tokens of a dispatcher's slices begin with."""
        with self._database.reading() as connection:
            return next(f"{lease.id}-" for lease in read_leases(connection) if lease.name == role)

    def has_runs(self, slices: str) -> bool:
        """Whether any run is in such a slice."""
        query = sa.select(runs.c.id).where(runs.c.lease_token.startswith(slices)).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def workers(self) -> list[psutil.Process]:
        """The worker processes of all dispatchers."""
        found = []
        for process in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                found += [
                    child
                    for child in psutil.Process(process.pid).children(recursive=True)
                    if "--multiprocessing-fork" in child.cmdline()
                ]
        return found

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        with suppress(httpx2.TransportError):
            return self.http.get("/readyz").status_code == 200
        return False

    def until(self, holds, seconds: float = SECONDS_TO_RECOVER) -> float:
        """Wait until something holds; how long it took."""
        begun = time.monotonic()
        while not holds():
            self._restart_what_ended()
            assert time.monotonic() - begun < seconds, self.log()
            time.sleep(0.1)
        return time.monotonic() - begun

    def _restart_what_ended(self) -> None:
        """As systemd or a container's restart policy would."""
        for role, process in list(self.processes.items()):
            if process.poll() is not None and role not in self.held_down:
                self.start(role)

    def log(self) -> str:
        """The end of what all processes said, requests left out."""
        lines = (self.folder / "log").read_text().splitlines(keepends=True)
        return "".join(line for line in lines if '"event": "request"' not in line)[-10_000:]
