"""A real `rankward serve` in processes of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from service.client.api import Rankward


class Server:
    """Starts `rankward serve` on a free port; a context manager that ends it as Ctrl-C would.

    Each process takes seconds to load its libraries, a worker most: there is a single one unless a test needs more.
    """

    def __init__(self, data_dir: Path, workers: int = 1, **environment: str) -> None:
        self.data_dir = data_dir
        self._workers, self._environment = workers, environment
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--data-dir", str(self.data_dir)]
        self.process = subprocess.Popen(
            [*command, "--workers", str(self._workers)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        found = re.search(r"listens on (http://\S+)", said)
        assert found, f"serve said {said!r} and ended with {self.process.poll()}"
        self.url = found[1]
        self.client = Rankward(self.url)

    def kill(self) -> None:
        """SIGKILL, as the kernel would do it."""
        self.process.kill()
        self._ended()

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self._ended()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.interrupt()

    def _ended(self) -> int:
        self.client.close()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(60)
