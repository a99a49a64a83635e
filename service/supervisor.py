"""The supervisor behind `rankward serve`: one API process, one dispatcher process, restarted when they fall."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field

import httpx2
import structlog

from service.processes.caches import lead_caches
from service.processes.listening import CannotServe, listen
from service.processes.locks import hold
from service.processes.open_files import raise_open_files
from service.processes.private_files import make_private
from service.settings import Settings
from service.store.migrate import migrate
from service.store.space import make_shrinkable
from service.store.sqlite import database_file
from service.values.addresses import http_url

SECONDS_FOR_PORT = 5.0
"""How long port and data directory may still be held by a server that is going away."""

SECONDS_TO_BE_READY = 30.0
SECONDS_TO_END = 30.0
MOST_RESTARTS, RESTART_WINDOW_SECONDS = 5, 60.0

_log = structlog.get_logger(__name__)


@dataclass
class _Child:
    """One role's process and when it was restarted."""

    role: str
    command: list[str]
    environment: dict[str, str]
    inherited: tuple[int, ...]
    process: "subprocess.Popen[bytes] | None" = None
    restarts: "deque[float]" = field(default_factory=lambda: deque(maxlen=MOST_RESTARTS))

    def start(self) -> None:
        environment = {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"}
        # A session of its own: Ctrl-C reaches the supervisor alone, which then ends its children in order.
        self.process = subprocess.Popen(
            self.command, pass_fds=self.inherited, env=environment, start_new_session=True, stdin=subprocess.DEVNULL
        )

    def fell(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def restart(self) -> None:
        now = time.monotonic()
        self.restarts.append(now)
        if len(self.restarts) == MOST_RESTARTS and now - self.restarts[0] < RESTART_WINDOW_SECONDS:
            raise CannotServe(
                f"The {self.role} process ended {MOST_RESTARTS} times within a minute; see the log above."
            )
        _log.warning("process ended, starting it again", child=self.role)
        self.start()

    def abandon(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own is a group of its own

    def end(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs the whole service on one machine; use as a context manager.

    Attributes:
        url: where the API listens.

    Raises:
        AlreadyRunning: the data directory belongs to a running service.
        CannotServe: the port is taken, or a process does not stay up.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._children: list[_Child] = []

    def __enter__(self) -> "Supervisor":
        settings = self.settings
        self._lock = hold(settings.data_dir, "serve", SECONDS_FOR_PORT)
        _prepare(settings)
        listener = listen(settings.host, settings.port, SECONDS_FOR_PORT)
        self.url = http_url(*listener.getsockname()[:2])
        lifeline, self._lifeline_end = os.pipe()
        metrics = _metrics_environment(settings)
        self._children = [
            _child("api", settings, metrics, lifeline, listener.fileno()),
            _child("dispatcher", settings, metrics, lifeline),
        ]
        self._listener = listener
        try:
            for child in self._children:
                child.start()
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            child.end()
        os.close(self._lifeline_end)
        self._listener.close()
        self._lock.release()

    def abandon(self) -> None:
        """End every process at once, workers included; their leases run out, and nothing stored is lost."""
        for child in self._children:
            child.abandon()

    def check(self) -> None:
        """Start again what has fallen; call this every second or so."""
        for child in self._children:
            if child.fell():
                child.restart()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_BE_READY
        # No proxy leads to this machine, and plain HTTP needs no authorities, which take a while to read.
        with httpx2.Client(timeout=1, trust_env=False, verify=False) as http:
            while time.monotonic() < deadline:
                if _is_ready(http, self.url):
                    return
                self.check()
                time.sleep(0.02)
        raise CannotServe(f"The API was not ready within {SECONDS_TO_BE_READY:.0f} seconds; see the log above.")


def _prepare(settings: Settings) -> None:
    """What all roles stand on: the data directory, the caches, the database, the limit of open files."""
    make_private(settings.data_dir, database_file(settings.url))
    lead_caches(settings.data_dir)
    migrate(settings.url)
    make_shrinkable(settings.url)
    if settings.keys_required:
        from service.use_cases.keys import check_somebody_gets_in  # the tables import the language of runs

        check_somebody_gets_in(settings)
    raise_open_files()


def _is_ready(http: httpx2.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/readyz?require=database").status_code == 200
    except httpx2.TransportError:
        return False


def _metrics_environment(settings: Settings) -> dict[str, str]:
    """Let the dispatcher show its metrics on the loopback, and the API show them among its own."""
    port = settings.metrics_port
    if port is None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    url = settings.dispatcher_metrics_url or f"http://127.0.0.1:{port}/metrics"
    return {"RANKWARD_METRICS_PORT": str(port), "RANKWARD_DISPATCHER_METRICS_URL": url}


def _child(
    role: str, settings: Settings, environment: dict[str, str], lifeline: int, listener: int | None = None
) -> _Child:
    command = [sys.executable, "-m", "service.child", role, f"--data-dir={settings.data_dir}"]
    command += [f"--lifeline={lifeline}"]  # with =, because a name may begin as an option does
    if listener is None:
        command += [] if settings.workers is None else [f"--workers={settings.workers}"]
        command += [f"--dispatcher-name={_dispatcher_name(settings)}"]
        return _Child(role, command, environment, (lifeline,))
    command += [f"--host={settings.host}", f"--listener={listener}"]
    return _Child(role, command, environment, (lifeline, listener))


def _dispatcher_name(settings: Settings) -> str:
    """The same at every start, so that a dispatcher takes over at once from one before it that was killed."""
    return settings.dispatcher_name or f"serve {socket.gethostname()} {settings.data_dir.absolute()}"[-255:]
