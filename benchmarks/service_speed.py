"""The service as a client meets it, on this machine: `python -m benchmarks.service_speed [--large]`.

Everything goes over HTTP to a real `rankward serve` on an empty data directory, with kernels compiled beforehand.
"""

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil

from service.client.api import Json, Rankward

BASIC: Json = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 3},
    "init": {"kind": "gaussian", "std": 1e-6, "std_of": "product", "determinant": "positive"},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 3e-3},
    "stop": {"max_steps": 5_000_000, "loss_below": 1e-4},
    "record": {"points_per_decade": 20},
}
TEN_THOUSAND: Json = {"name": "ten thousand seeds", "run": BASIC, "sweep": [{"seed": list(range(10_000))}]}


class Service:
    """A `rankward serve` of its own, with further options."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        began = time.perf_counter()
        command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--data-dir", str(data_dir)]
        command += options
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.client = Rankward(self.process.stdout.readline().split()[3])
        self.seconds_to_start = time.perf_counter() - began

    def run(self, experiment: Json) -> tuple[float, Json]:
        """Seconds from POST until everything is stored, and the experiment."""
        began = time.perf_counter()
        posted = self.client.submit(experiment)
        while (now := self.client.experiment(posted["id"]))["status"] in ("queued", "running"):
            time.sleep(0.02)
        return time.perf_counter() - began, now

    def processes(self) -> dict[str, psutil.Process]:
        """The service's processes by their part in it."""
        tree = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        return {f"{_part(one)} {one.pid}": one for one in tree}

    def stop(self) -> None:
        """End it as Ctrl-C would."""
        self.client.close()
        self.process.terminate()
        self.process.wait(60)


def _part(process: psutil.Process) -> str:
    words = process.cmdline()
    known = (part for part in ("api", "dispatcher", "serve") if part in words)
    return next(known, "worker" if "--multiprocessing-fork" in words else "other")


class Watcher(threading.Thread):
    """Asks for one run again and again, and looks at the memory, while something else is going on."""

    def __init__(self, service: Service, run_id: str) -> None:
        super().__init__(daemon=True)
        self._service, self._path = service, f"/v1/runs/{run_id}"
        self.seconds: list[float] = []
        self.most_bytes = 0
        self._done = threading.Event()

    def run(self) -> None:
        processes = self._service.processes().values()
        with httpx2.Client(base_url=self._service.client.url) as http:
            while not self._done.wait(0.02):
                began = time.perf_counter()
                http.get(self._path).raise_for_status()
                self.seconds.append(time.perf_counter() - began)
                self.most_bytes = max(self.most_bytes, sum(one.memory_info().rss for one in processes))

    def finish(self) -> None:
        self._done.set()
        self.join()


def measure_presets(service: Service) -> str:
    """Start the service, compile, then time presets; returns the id of some run."""
    print(f"serve: listening {service.seconds_to_start:.2f} s after the command")
    for preset in ("first_look", "fifty_million_steps", "figure_1"):
        first, _ = service.run(service.client.preset(preset))
        seconds, experiment = service.run(service.client.preset(preset))
        print(f"{preset}: stored {seconds:.2f} s after its POST (the first time, with compiling: {first:.2f} s)")
    return next(service.client.runs(experiment["id"]))["id"]


def measure_ten_thousand(service: Service, run_id: str) -> None:
    """The sweep of ten thousand seeds, while GET /v1/runs/{id} is asked for all the time."""
    before = {part: _cpu(process) for part, process in service.processes().items()}
    watcher = Watcher(service, run_id)
    watcher.start()
    seconds, experiment = service.run(TEN_THOUSAND)
    watcher.finish()
    slowest = np.percentile(np.array(watcher.seconds) * 1e3, [50, 99])
    print(f"ten thousand seeds: stored {seconds:.1f} s after the POST, {experiment['runs']['succeeded']} succeeded")
    print(f"  memory of all processes at most {watcher.most_bytes / 2**30:.2f} GiB (shared pages counted in each)")
    print(f"  GET /v1/runs/{{id}} meanwhile: median {slowest[0]:.1f} ms, 99th percentile {slowest[1]:.1f} ms")
    for part, process in service.processes().items():
        print(f"  {part.split()[0]}: {_cpu(process) - before.get(part, 0.0):.1f} s of CPU")
    print(f"  {_counted(service)}")


def _cpu(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def _counted(service: Service) -> str:
    database = sqlite3.connect(service.data_dir / "rankward.db")
    points: Any = database.execute("select count(*) from trajectory_points").fetchone()
    steps: Any = database.execute("select sum(step) from runs").fetchone()
    database.close()
    return f"{steps[0]:.3g} steps and {points[0]:,} points in the database"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also the sweep of ten thousand seeds (a minute)")
    large = parser.parse_args().large
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        run_id = measure_presets(service)
        if large:
            measure_ten_thousand(service, run_id)
        service.stop()


if __name__ == "__main__":
    main()
