"""What a slice costs everybody, and how many workers that lets one dispatcher feed: `python -m benchmarks.scaling`.

The costs are measured here, on SQLite and with a worker in this process; the clusters of up to 1000 workers are
simulated around the real planner (`benchmarks.simulated_cluster`).
"""

import pickle
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.simulated_cluster import Scheduler, SimulatedCluster, SliceCosts, saturation
from service.dispatch.planner import Queue as PlannedQueue
from service.dispatch.planner import largest_batch
from service.schemas import ExperimentRequest
from service.settings import Limits, Settings
from service.store import leases
from service.store.database import Database
from service.store.migrate import migrate
from service.store.slices import apply_slice
from service.use_cases.submissions import submit
from workers.records import Budget
from workers.slices import run_slice

SLICE_SECONDS = Settings.model_fields["slice_seconds"].default
SLICES = 4
"""Slices of each workload: the first is left out, in which kernels are compiled and every run records its start."""

SIMULATED = (10, 100, 300, 1000)
"""Workers of the simulated clusters."""

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


def measure(name: str, experiment: dict[str, Any]) -> SliceCosts:
    """The mean costs of a workload's slices but the first."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        migrate(settings.url)
        database = Database(settings.url)
        submit(database, ExperimentRequest.model_validate(experiment), Limits(max_steps_per_run=10**10), None)
        found = [_slice(name, database) for _ in range(SLICES)][1:]
        database.close()
    fields = ("compute", "lease", "store", "message_bytes", "run_steps")
    return replace(found[0], **{field: sum(getattr(one, field) for one in found) / len(found) for field in fields})


def _slice(name: str, database: Database) -> SliceCosts:
    begun = time.perf_counter()
    with database.reading() as connection:
        ((key, row),) = leases.waiting_queues(connection, 1024, 0)
    most = largest_batch(PlannedQueue(key, row["waiting"], row["first_run"], row["numbers"]))
    with database.writing() as connection:
        lease = leases.lease_runs(connection, key, most, datetime.now(UTC))
    assert lease is not None
    message = pickle.dumps(lease.batch)
    leased = time.perf_counter()
    answer = pickle.dumps(run_slice(lease.batch, Budget(SLICE_SECONDS)))
    computed = time.perf_counter()
    result = pickle.loads(answer)
    with database.writing() as connection:
        apply_slice(connection, lease, result, datetime.now(UTC))
    stored = time.perf_counter()
    before = sum(one.checkpoint.step if one.checkpoint else 0 for one in lease.batch.members)
    after = sum(one.checkpoint.step for one in result.progress if one.checkpoint)
    bytes_sent = len(message) + len(answer)
    costs = (computed - leased, leased - begun, stored - computed, bytes_sent, float(after - before))
    return SliceCosts(name, len(lease.run_ids), *costs)


def main() -> None:
    """Measure and print."""
    print("| workload | compute s | lease ms | store ms | message kB | dispatcher feeds | scheduler feeds |")
    print("|---|---|---|---|---|---|---|")
    found = [measure(name, experiment) for name, experiment in WORKLOADS.items()]
    for one in found:
        feeds = saturation(one, SCHEDULER)
        print(
            f"| {one.name} | {one.compute:.2f} | {1e3 * one.lease:.1f} | {1e3 * one.store:.1f} | "
            f"{one.message_bytes / 1e3:.0f} | {feeds['dispatcher']:.0f} | {feeds['scheduler']:.0f} |"
        )
    print("\nWorkers kept busy, simulated, slices of 2 s and of 20 s:")
    for one in found:
        for longer in (1, 10):
            costs = replace(one, compute=one.compute * longer)
            busy = (SimulatedCluster(workers, costs, SCHEDULER).run(60.0 * longer) for workers in SIMULATED)
            kept = ", ".join(f"{one.workers * one.utilisation:.0f} of {one.workers}" for one in busy)
            print(f"  {costs.name}, x{longer}: {kept}")


if __name__ == "__main__":
    main()
