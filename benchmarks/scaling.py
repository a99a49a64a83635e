"""What a slice costs everybody, and how many workers that lets dispatchers feed: `python -m benchmarks.scaling`.

The costs are measured here, on PostgreSQL and with a worker in this process, in seconds of the CPU; clusters of up to
1000 workers are simulated around the real planner and pace (`benchmarks.simulated_cluster`).
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import mean
from typing import Any

import psutil
import sqlalchemy as sa
from distributed.protocol.core import dumps, loads
from distributed.protocol.serialize import to_serialize

from benchmarks.simulated_cluster import Cost, Scheduler, SimulatedCluster, SliceCosts, saturation
from service.dispatch.planner import Queue as PlannedQueue
from service.dispatch.planner import largest_batch
from service.schemas.requests import ExperimentRequest
from service.settings import Limits, Settings
from service.store import leases
from service.store.database import Database
from service.store.migrate import migrate
from service.store.slices import apply_slice
from service.use_cases.submissions import submit
from tests.helpers.postgresql import PostgreSQL
from workers.records import Budget
from workers.results import SliceResult
from workers.slices import run_slice

SLICE_SECONDS = Settings.model_fields["slice_seconds"].default
PHASES, TIMES = {"slices 2 to 4": slice(1, 4), "slices 9 to 12": slice(8, 12)}, 3
"""Slices of each workload; the first is left out, in which kernels are compiled and every run records its start.

Later slices have fewer points, on a schedule by decades.
"""

SIMULATED = (100, 1000)
"""Workers of the simulated clusters."""

DISPATCHERS, SERVER_CORES = (1, 2, 4, 8), 16
"""Dispatchers that share the work, and cores of the database's server, of the simulated clusters."""

SIMULATED_SECONDS = 300.0
"""After as long a time, in which workers get their first slices, the clusters are watched for so long."""

SCHEDULER = Scheduler(seconds_per_slice=1.5e-3, bytes_per_second=5e8)
"""An assumption, not a measurement: dask.distributed handles a task in three messages of about half a millisecond, and
reads and writes its bytes once, on a network of 10 Gbit/s of which TLS leaves about half."""

BASIC: dict[str, Any] = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 3},
    "init": {"kind": "gaussian", "std": 1e-6, "std_of": "product", "determinant": "positive"},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 3e-3},
    "stop": {"max_steps": 10**9},
}
TENSOR: dict[str, Any] = {
    "problem": {"kind": "low_rank_completion", "shape": [8, 8, 8], "rank": 3, "observed": 256},
    "model": {"kind": "cp_tensor"},
    "init": {"kind": "gaussian", "std": 1e-2},
    "optimizer": {"kind": "group_rmsprop", "learning_rate": 1e-2},
    "stop": {"max_steps": 10**9},
    "precision": "float32",
}
WORKLOADS: dict[str, dict[str, Any]] = {
    "2 x 2, fused, 1024 runs": {"run": BASIC, "sweep": [{"seed": list(range(1024))}]},
    "2 x 2, fused, 16 runs": {"run": BASIC, "sweep": [{"seed": list(range(16))}]},
    "8 x 8 x 8, torch, 50 runs": {"run": TENSOR, "sweep": [{"seed": list(range(50))}]},
}


def measure(server: PostgreSQL, name: str, experiment: dict[str, Any]) -> list[SliceCosts]:
    """The costs of a workload's slices, in each phase: of each slice the least of several times, then their mean."""
    times = [_slices(server, name, experiment) for _ in range(TIMES)]
    return [_mean(f"{name}, {phase}", [of_time[part] for of_time in times]) for phase, part in PHASES.items()]


def _mean(name: str, times: list[list[SliceCosts]]) -> SliceCosts:
    def least(act: str, of: str) -> float:
        return mean(min(getattr(getattr(costs, act), of) for costs in same) for same in zip(*times, strict=True))

    lease, store = (Cost(least(act, "dispatcher"), least(act, "server")) for act in ("lease", "store"))
    computed, message_bytes = (mean(getattr(costs, of) for costs in times[0]) for of in ("compute", "message_bytes"))
    return SliceCosts(name, times[0][0].runs, computed, lease, store, round(message_bytes))


def _slices(server: PostgreSQL, name: str, experiment: dict[str, Any]) -> list[SliceCosts]:
    count = max(part.stop for part in PHASES.values())
    with server.database() as url:
        migrate(url)
        database = Database(url)
        submit(database, ExperimentRequest.model_validate(experiment), Limits(max_steps_per_run=10**10), None)
        slices = [_slice(name, database) for _ in range(count)]
        database.close()
    return slices


def _slice(name: str, database: Database) -> SliceCosts:
    costs: list[Cost] = []
    with _timed(costs, database):
        with database.reading() as connection:
            ((key, row),) = leases.waiting_queues(connection, 1024, 0)
        most = largest_batch(PlannedQueue(key, row["waiting"], row["first_run"], row["numbers"]))
        with database.writing() as connection:
            lease = leases.lease_runs(connection, key, most, datetime.now(UTC))
        assert lease is not None
        message = [bytes(frame) for frame in dumps({"batch": to_serialize(lease.batch)})]
    answer = [bytes(frame) for frame in dumps({"result": to_serialize(run_slice(lease.batch, Budget(SLICE_SECONDS)))})]
    with _timed(costs, database):
        read: Any = loads(answer)
        result: SliceResult = read["result"]
        with database.writing() as connection:
            apply_slice(connection, lease, result, datetime.now(UTC))
    bytes_sent = sum(map(len, message)) + sum(map(len, answer))
    lease_costs, store_costs = costs
    return SliceCosts(name, len(lease.run_ids), result.seconds, lease_costs, store_costs, bytes_sent)


@contextmanager
def _timed(costs: list[Cost], database: Database) -> Generator[None]:
    """Note the CPU of this process, and of the server's process for the only connection of the pool."""
    with database.writing() as connection:
        of_server = psutil.Process(connection.scalar(sa.text("SELECT pg_backend_pid()")))
    before, server_before = time.process_time(), sum(of_server.cpu_times()[:2])
    yield
    costs.append(Cost(time.process_time() - before, sum(of_server.cpu_times()[:2]) - server_before))


def main() -> None:
    """Measure and print."""
    print("| workload | lease, ms | store, ms | message, kB | dispatcher feeds | core of the database | scheduler |")
    print("|---|---|---|---|---|---|---|")
    with PostgreSQL() as server:
        measured = [costs for name, experiment in WORKLOADS.items() for costs in measure(server, name, experiment)]
    for one in measured:
        feeds = saturation(one, SCHEDULER)
        print(
            f"| {one.name} | {_text(one.lease)} | {_text(one.store)} | {one.message_bytes / 1e3:.0f} | "
            + " | ".join(f"{workers:.0f}" for workers in feeds.values())
            + " |"
        )
    print(f"\n| workload | slices | dispatchers | {' | '.join(map(str, SIMULATED))} |")
    print("|---|---|---|" + "---|" * len(SIMULATED))
    for one in measured:
        for shortest in (2.0, 20.0):
            for dispatchers in DISPATCHERS:
                busy = " | ".join(_busy(one, workers, dispatchers, shortest) for workers in SIMULATED)
                print(f"| {one.name} | {shortest:.0f} s | {dispatchers} | {busy} |", flush=True)


def _text(cost: Cost) -> str:
    return f"{1e3 * cost.dispatcher:.1f} + {1e3 * cost.server:.1f}"


def _busy(costs: SliceCosts, workers: int, dispatchers: int, shortest: float) -> str:
    """How busy the workers are once they all are fed, for how long a slice is computed, and how many server's cores."""
    cluster = SimulatedCluster(workers, costs, SCHEDULER, dispatchers, SERVER_CORES, shortest)
    cluster.run_until(SIMULATED_SECONDS)
    before = (cluster.worker_seconds, cluster.slices, cluster.server.busy)
    cluster.run_until(2 * SIMULATED_SECONDS)
    after = (cluster.worker_seconds, cluster.slices, cluster.server.busy)
    computed, slices, served = (end - begin for begin, end in zip(before, after, strict=True))
    kept = computed / (workers * SIMULATED_SECONDS)
    return f"{kept:.0%} ({computed / max(1, slices):.0f} s, {served / SIMULATED_SECONDS:.1f} cores)"


if __name__ == "__main__":
    main()
