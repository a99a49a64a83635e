"""Memory of the API and the dispatcher over many experiments: `python -m benchmarks.memory [--experiments 2000]`.

The two run as processes of their own on an empty PostgreSQL, with one worker process. Experiments of a single run of a
few steps are submitted over HTTP by several clients, and one in ten is deleted; resident memory is read meanwhile. The
picture goes to docs/images/memory.png.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import matplotlib as mpl
import numpy as np
import psutil

from service.client.api import Rankward
from service.store.migrate import migrate
from tests.helpers.postgresql import PostgreSQL

mpl.use("Agg")
import matplotlib.pyplot as plt

TINY: dict[str, Any] = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 2},
    "init": {"kind": "gaussian", "std": 0.1},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
    "stop": {"max_steps": 100},
}
CLIENTS, DELETED = 4, 10
PICTURE = Path("docs/images/memory.png")


class Watch(threading.Thread):
    """Resident bytes of processes, beside how many experiments were submitted by then."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        super().__init__(daemon=True)
        self._processes, self._over = processes, threading.Event()
        self.submitted = 0
        self.seen: list[tuple[int, ...]] = []

    def run(self) -> None:
        while not self._over.wait(0.5):
            self.seen.append((self.submitted, *(process.memory_info().rss for process in self._processes.values())))

    def finish(self) -> np.ndarray:
        """Stop; (moments, 1 + processes)."""
        self._over.set()
        self.join()
        return np.array(self.seen, dtype=float)


def submit_all(url: str, count: int, watch: Watch) -> None:
    """Submit experiments by several clients, and delete some of them."""
    client = Rankward(url)  # which tries again where the server is busy

    def submit(seed: int) -> None:
        made = client.submit({"run": {**TINY, "seed": seed}, "tags": {"number": str(seed)}})
        next(client.experiments())
        if seed % DELETED == 0:
            client.delete(made["id"])
        watch.submitted += 1

    with client, ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(submit, range(count)))


def wait_until_over(http: httpx2.Client) -> None:
    """Until no run is queued or running."""
    while any(
        http.get("/v1/runs", params={"status": name, "limit": 1}).json()["items"] for name in ("queued", "running")
    ):
        time.sleep(0.5)


def measure(count: int) -> np.ndarray:
    """Experiments submitted, and bytes of the API and of the dispatcher, (moments, 3)."""
    with PostgreSQL() as server, server.database() as url, tempfile.TemporaryDirectory() as folder:
        migrate(url)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {**os.environ, "RANKWARD_DATABASE_URL": url, "RANKWARD_DATA_DIR": folder, "RANKWARD_WORKERS": "1"}
        roles = {"API": ["api", "--port", str(port)], "dispatcher": ["dispatcher"]}
        started = {
            name: subprocess.Popen(
                [sys.executable, "-m", "service.cli", *role], env=environment, stderr=subprocess.DEVNULL
            )
            for name, role in roles.items()
        }
        try:
            return _watched(count, port, {name: psutil.Process(process.pid) for name, process in started.items()})
        finally:
            for process in started.values():
                process.terminate()
                process.wait(60)


def _watched(count: int, port: int, processes: dict[str, psutil.Process]) -> np.ndarray:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
        while not _is_ready(http):
            time.sleep(0.2)
        watch = Watch(processes)
        watch.start()
        submit_all(str(http.base_url), count, watch)
        wait_until_over(http)
        return watch.finish()


def _is_ready(http: httpx2.Client) -> bool:
    try:
        return http.get("/readyz").is_success
    except httpx2.TransportError:
        return False


def draw(seen: np.ndarray) -> None:
    """Memory against experiments."""
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for name, column in (("API", 1), ("dispatcher", 2)):
        axes.plot(seen[:, 0], seen[:, column] / 2**20, label=name)
    axes.set(xlabel="experiments submitted", ylabel="resident memory, MiB", ylim=(0, None))
    axes.legend()
    figure.savefig(PICTURE, dpi=150)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2000)
    count = parser.parse_args().experiments
    seen = measure(count)
    draw(seen)
    print("| experiments | API, MiB | dispatcher, MiB |\n|---|---|---|")
    for share in (0.05, 0.1, 0.25, 0.5, 0.75, 1.0):
        moment = seen[np.searchsorted(seen[:, 0], share * count, side="left").clip(max=len(seen) - 1)]
        print(f"| {moment[0]:,.0f} | {moment[1] / 2**20:.0f} | {moment[2] / 2**20:.0f} |")


if __name__ == "__main__":
    main()
