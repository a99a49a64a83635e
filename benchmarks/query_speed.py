"""Asking and taking away: `python -m benchmarks.query_speed [--large]`.

A database of its own is filled without running anything, an API is started on it, and everything goes over HTTP:
first with SQLite, then with PostgreSQL. `--large` is 10 000 runs of 200 points, 2 million points in all; without it a
tenth of the runs.
"""

import argparse
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import numpy as np
import psutil
import pyarrow.parquet as pq
import sqlalchemy as sa

from benchmarks.store_speed import databases
from service.store.database import Database
from service.store.experiments import insert_experiment, insert_runs
from service.store.inserts import upsert_columns
from service.store.migrate import migrate
from service.store.point_writes import insert_points, metric_columns
from service.store.run_rows import new_run
from service.store.tables import runs, summaries
from workers.results import Points
from workers.runs.metrics import METRICS, metrics_of
from workers.runs.spec import RunSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 3},
    "init": {"kind": "gaussian", "std": 1e-6, "std_of": "product", "determinant": "positive"},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 3e-3},
    "stop": {"max_steps": 5_000_000, "loss_below": 1e-4},
}
POINTS = 200
LONG_RUN_POINTS = 2000
RUNS_AT_ONCE = 500
WHERE = "model.depth >= 3 AND summary.loss < 1e-3 AND outcome = 'converged'"
EIGHT = "loss,unobserved_entry,frobenius_norm,nuclear_norm,spectral_norm,effective_rank,stable_rank,gradient_norm"


def fill(database: Database, count: int) -> None:
    """Runs of 200 points with random metrics, a third of them converged, and one run of 2000 points after them."""
    chance = np.random.default_rng(0)
    specs = [_spec(number) for number in range(count + 1)]
    rows = [
        {**new_run(spec, number, NOW + timedelta(seconds=number)), **_ended(number)}
        for number, spec in enumerate(specs)
    ]
    with database.writing() as connection:
        values = {
            "public_id": "e",
            "name": "",
            "tags": {},
            "run": {},
            "sweep": [],
            "created_at": NOW,
            "body_digest": "",
        }
        experiment_id = insert_experiment(connection, values)
        assert experiment_id is not None
        insert_runs(connection, experiment_id, rows)
        ids = connection.scalars(sa.select(runs.c.id).order_by(runs.c.id)).all()
        for start in range(0, count, RUNS_AT_ONCE):
            _insert(connection, ids[start : min(start + RUNS_AT_ONCE, count)], POINTS, chance)
        _insert(connection, ids[count:], LONG_RUN_POINTS, chance)


def _spec(number: int) -> RunSpec:
    model = {"kind": "deep_matrix", "depth": 2 + number % 3}
    return RunSpec.model_validate({**SPEC, "model": model, "seed": number})


def _ended(number: int) -> dict[str, Any]:
    outcome = "converged" if number % 3 else "budget_exhausted"
    return {"status": "succeeded", "outcome": outcome, "step": 5_000_000, "compute_seconds": 1.0, "engine": "fused"}


def _insert(connection: sa.Connection, ids: Any, points: int, chance: np.random.Generator) -> None:
    total = len(ids) * points
    columns: dict[str, Any] = {"step": np.tile(np.arange(points), len(ids))}
    columns["time"] = columns["step"] * 3e-3
    for name in metrics_of(_spec(1)):
        shape = (total, 2) if METRICS[name] == "vector" else (total,)
        columns[name] = chance.lognormal(-7, 3, shape) if METRICS[name] != "integer" else np.ones(shape)
    found = Points(np.repeat(np.arange(len(ids)), points), columns)
    insert_points(connection, dict(enumerate(ids)), found)
    common = {"steps": 5_000_000, "time": 1.0, "first_step_below": '{"1e0":0}'}
    last = metric_columns(found, np.arange(1, len(ids) + 1) * points - 1)
    columns = {"run_id": list(ids), **{name: [value] * len(ids) for name, value in common.items()}, **last}
    upsert_columns(connection, summaries, columns)


class Api:
    """An API of its own on a filled database."""

    def __init__(self, database_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "service.cli", "api", "--port", str(port)]
        environment = {**os.environ, "RANKWARD_DATABASE_URL": database_url}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        self._seen = psutil.Process(self._process.pid)
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=600)
        while not self._is_ready():
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            return self.http.get("/readyz", params={"require": "database"}).is_success
        except httpx2.TransportError:
            return False

    def bytes_now(self) -> int:
        """Resident memory of the process."""
        return self._seen.memory_info().rss

    def cpu_now(self) -> float:
        """Seconds of processor time that the process has taken."""
        return sum(self._seen.cpu_times()[:2])

    def stop(self) -> None:
        """End it."""
        self.http.close()
        self._process.terminate()
        self._process.wait(60)


class MemoryWatch(threading.Thread):
    """The most memory that the process of an API takes."""

    def __init__(self, api: Api) -> None:
        super().__init__(daemon=True)
        self._api = api
        self._done = threading.Event()
        self.most_bytes = 0

    def run(self) -> None:
        while not self._done.wait(0.01):
            self.most_bytes = max(self.most_bytes, self._api.bytes_now())

    def finish(self) -> int:
        """Stop looking; the most that was seen."""
        self._done.set()
        self.join()
        return self.most_bytes


def best_of(times: int, ask: Callable[[], Any]) -> float:
    """Seconds of the fastest of several times."""
    found: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        found.append(time.perf_counter() - began)
    return min(found)


def measure(api: Api, count: int) -> None:
    """Ask, take away, and print."""
    page = api.http.get("/v1/runs", params={"where": WHERE}).raise_for_status()
    plain = best_of(5, lambda: api.http.get("/v1/runs").raise_for_status())
    seconds = best_of(5, lambda: api.http.get("/v1/runs", params={"where": WHERE}).raise_for_status())
    print(
        f"where of three clauses over {count:,} runs, first page of {len(page.json()['items'])}: {seconds * 1e3:.1f} ms"
    )
    print(f"  the same page without where: {plain * 1e3:.1f} ms")
    ordered = {"where": WHERE, "order_by": "summary.loss desc, index", "fields": "id,summary.loss"}
    seconds = best_of(5, lambda: api.http.get("/v1/runs", params=ordered).raise_for_status())
    print(f"  sorted by loss, two fields: {seconds * 1e3:.1f} ms")
    newest = api.http.get("/v1/runs", params={"order_by": "-index", "limit": 1}).json()["items"][0]["id"]
    path = f"/v1/runs/{newest}/trajectory"
    seconds = best_of(10, lambda: api.http.get(path, params={"metrics": EIGHT}).raise_for_status())
    print(f"one trajectory of {LONG_RUN_POINTS} points x 8 metrics as JSON: {seconds * 1e3:.1f} ms")
    for format in ("parquet", "arrow", "csv", "ndjson"):
        _take_away(api, format)
    idle = api.bytes_now()
    print(f"memory of the API afterwards: {idle / 2**20:.0f} MiB")


def _take_away(api: Api, format: str) -> None:
    watch, content = MemoryWatch(api), io.BytesIO()
    watch.start()
    worked, began = api.cpu_now(), time.perf_counter()
    with api.http.stream("GET", "/v1/trajectories", params={"format": format}) as answer:
        for chunk in answer.iter_raw():
            content.write(chunk)
    seconds, most = time.perf_counter() - began, watch.finish()
    size = content.tell() / 2**20
    rows = f", {pq.ParquetFile(content).metadata.num_rows:,} rows" if format == "parquet" else ""
    worked = api.cpu_now() - worked
    print(f"all trajectories as {format}: {seconds:.1f} s ({worked:.1f} s of CPU), {size:.0f} MiB{rows}")
    print(f"  memory of the API at most {most / 2**20:.0f} MiB")


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="10 000 runs and 2 million points in place of a tenth")
    count = 10_000 if parser.parse_args().large else 1_000
    with databases() as urls:
        for name, url in urls.items():
            print(f"## {name}")
            measure_on(url, count)


def measure_on(url: str, count: int) -> None:
    """Everything, on one empty database."""
    migrate(url)
    database = Database(url)
    fill(database, count)
    database.close()
    api = Api(url)
    try:
        measure(api, count)
    finally:
        api.stop()


if __name__ == "__main__":
    main()
