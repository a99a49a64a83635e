"""Many clients at once: `python -m benchmarks.submission_load [--submissions 2000] [--clients 50]`.

Each submission is one small run under a key of its own; a share of them is sent a second time, as a client does that
saw no answer. The service computes and stores the runs meanwhile, on the same cores as the clients.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from benchmarks.service_speed import Service

RUN: dict[str, Any] = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 2},
    "init": {"kind": "identity", "scale": 0.3},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 0.01},
    "stop": {"max_steps": 200},
    "record": {"points_per_decade": 5},
}
SENT_TWICE = 10
"""One in so many submissions is sent a second time under the same key."""


@dataclass
class Load:
    """What clients saw.

    Attributes:
        statuses: how often each HTTP status was answered.
        seconds: of each request.
        experiments: the ids that were acknowledged, by the key they were submitted under.
    """

    statuses: Counter[int] = field(default_factory=Counter[int])
    seconds: list[float] = field(default_factory=list[float])
    experiments: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


async def submit_many(url: str, submissions: int, clients: int) -> Load:
    """Submit runs from `clients` connections at once, each waiting for an answer before it sends the next."""
    load = Load()
    keys = asyncio.Queue[str]()
    for number in range(submissions):
        for _ in range(2 if number % SENT_TWICE == 0 else 1):
            keys.put_nowait(f"load-{number}")
    connections = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx2.AsyncClient(base_url=url, timeout=60, limits=connections) as http:
        await asyncio.gather(*(_client(http, keys, load) for _ in range(clients)))
    return load


async def _client(http: httpx2.AsyncClient, keys: "asyncio.Queue[str]", load: Load) -> None:
    while not keys.empty():
        await _submit(http, keys.get_nowait(), load)


async def _submit(http: httpx2.AsyncClient, key: str, load: Load) -> None:
    body = {"name": key, "run": {**RUN, "seed": int(key.removeprefix("load-"))}}
    began = time.perf_counter()
    answer = await http.post("/v1/experiments", json=body, headers={"Idempotency-Key": key})
    load.seconds.append(time.perf_counter() - began)
    load.statuses[answer.status_code] += 1
    if answer.is_success:
        load.experiments.setdefault(key, set()).add(answer.json()["id"])


def measure(submissions: int, clients: int) -> None:
    """Load a service of its own."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        try:
            load_and_print(service, submissions, clients)
        finally:
            service.stop()


def load_and_print(service: Service, submissions: int, clients: int) -> None:
    """Load a service, wait until every run is over, and print what clients saw."""
    service.run({"run": RUN})
    before, own = cpu_seconds(service), time.process_time()
    began = time.perf_counter()
    load = asyncio.run(submit_many(service.client.url, submissions, clients))
    seconds = time.perf_counter() - began
    median, slowest = np.percentile(np.array(load.seconds) * 1e3, [50, 99])
    print(f"{len(load.seconds)} requests of {clients} clients in {seconds:.1f} s: {dict(load.statuses)}")
    print(f"  median {median:.0f} ms, 99th percentile {slowest:.0f} ms")
    parts = {part: spent - before[part] for part, spent in cpu_seconds(service).items()}
    parts["clients"] = time.process_time() - own
    print(f"  seconds of CPU: {', '.join(f'{part} {spent:.1f}' for part, spent in parts.items())}")
    runs = list(service.client.runs())
    while any(run["status"] in ("queued", "running") for run in runs):
        time.sleep(0.5)
        runs = list(service.client.runs())
    print(f"  all runs stored {time.perf_counter() - began:.1f} s after the first request")
    print(f"  {len(load.experiments)} keys acknowledged, {len(runs) - 1} runs: {Counter(r['status'] for r in runs)}")


def cpu_seconds(service: Service) -> dict[str, float]:
    """Processor time that each process of the service has taken so far."""
    return {part: sum(process.cpu_times()[:2]) for part, process in service.processes().items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=50)
    given = parser.parse_args()
    measure(given.submissions, given.clients)


if __name__ == "__main__":
    main()
