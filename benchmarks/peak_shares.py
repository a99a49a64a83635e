"""Shares of a core's peak by size, and what other ways take: `python -m benchmarks.peak_shares`.

Depth 3, float64. The service is a `rankward serve` with one worker, asked over HTTP, kernels compiled; the time of an
experiment is that between the start of its first run and the end of its last. The peak is that of a product of
1024 x 1024 matrices in torch on one core, to which the other ways are bound as well. All are measured in turn, REPEATS
times, and the best of each counts. A step counts as 6 n^3 multiply-adds: its products, without losses, updates and
recording.
"""

import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.rivals import jax_scan, numpy_loop, torch_loop
from benchmarks.service_speed import Service
from workers.runs.initializers import starting_factors
from workers.runs.observations import observe_entries
from workers.runs.spec import RunSpec

DEPTH = 3
BATCHES = (
    (2, 64),
    (3, 64),
    (4, 64),
    (5, 64),
    (8, 64),
    (10, 64),
    (16, 64),
    (24, 64),
    (32, 64),
    (50, 16),
    (100, 16),
    (200, 16),
)
LONE = tuple((size, 1) for size, _ in BATCHES)
REPEATS = 3
SECONDS = 5.0
"""Length of an experiment."""
FIRST_STEPS = 2.0e8
"""Multiply-adds of the first experiment of a size, which compiles its kernels."""
ORDER = 1024


def multiply_adds(size: int) -> int:
    """Multiply-adds of the products of a step."""
    return 3 * (DEPTH - 1) * size**3


def experiment(size: int, runs: int, steps: int) -> dict[str, Any]:
    """Runs that differ in their seeds and take all their steps."""
    run = {
        "problem": {"kind": "all_but_corner", "dimension": size},
        "model": {"kind": "deep_matrix", "depth": DEPTH},
        "init": {"kind": "gaussian", "std": 0.3 / size**0.5},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-4},
        "stop": {"max_steps": steps},
        "record": {"points_per_decade": 1},
    }
    return {"run": run, "sweep": [{"seed": list(range(runs))}]}


def peak() -> float:
    """Multiply-adds a nanosecond of a large product on one core."""
    matrix = torch.randn(ORDER, ORDER, dtype=torch.float64)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        _ = matrix @ matrix
        best = min(best, time.perf_counter() - began)
    return ORDER**3 / best * 1e-9


def microseconds(service: Service, size: int, runs: int, steps: int) -> float:
    """Microseconds a step and run of an experiment, by the times that the service wrote."""
    _, done = service.run(experiment(size, runs, steps))
    rows = list(service.client.runs(done["id"]))
    begun, ended = (
        [datetime.fromisoformat(row[name]) for row in rows if row[name]] for name in ("started_at", "finished_at")
    )
    return (max(ended) - min(begun)).total_seconds() / (steps * runs) * 1e6


def served(service: Service, size: int, runs: int) -> Callable[[], float]:
    """Measures experiments of about SECONDS.

    Short ones come first: one compiles, and the others grow until their steps outweigh their starts and their points.
    """
    steps = max(1, int(FIRST_STEPS / (multiply_adds(size) * runs)))
    microseconds(service, size, runs, steps)
    while (each := microseconds(service, size, runs, steps)) * steps * runs < SECONDS * 1e6 / 2:
        steps = 1 + int(steps * min(10.0, SECONDS * 1e6 / (each * steps * runs)))
    return lambda: microseconds(service, size, runs, steps)


def row(service: Service, size: int, runs: int) -> str:
    """A line of the table."""
    spec = RunSpec.model_validate(experiment(size, runs, 1)["run"])
    entries = observe_entries(spec.problem)
    start = [np.asarray(factor, dtype=np.float64) for factor in starting_factors(spec)]
    target, mask = (np.asarray(values, dtype=np.float64) for values in (entries.values, entries.mask))
    ways = [make(start, target, mask, runs) for make in (jax_scan, numpy_loop, torch_loop)]
    measures = [served(service, size, runs), *ways]
    peaks, times = list[float](), [list[float]() for _ in measures]
    for _ in range(REPEATS):
        peaks.append(peak())
        for measure, measured in zip(measures, times, strict=True):
            measured += [measure()] if measure else []
    ours, *others = (min(measured, default=None) for measured in times)
    assert ours is not None
    share = multiply_adds(size) / (ours * 1e3) / max(peaks)
    cells = ["-" if other is None else f"{other:.4g} ({other / ours:.1f})" for other in others]
    return f"| {size} x {size}, {runs} | {ours:.4g} | {100 * share:.0f} % | {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    for cores in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        assert os.environ.get(cores) == "1", f"set {cores}=1, for the other ways"
    print(f"peak of a core: {peak():.1f} multiply-adds a nanosecond; {torch.backends.cpu.get_cpu_capability()}\n")
    print("| size, runs | us a step and run | share of peak | JAX (ratio) | numpy (ratio) | torch, autograd (ratio) |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), "--workers", "1")
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # JAX would use all cores
        try:
            for size, runs in (*BATCHES, *LONE):
                print(row(service, size, runs), flush=True)
        finally:
            service.stop()


if __name__ == "__main__":
    main()
