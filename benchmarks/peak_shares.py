"""Shares of a core's peak by size, and what other ways take: `python -m benchmarks.peak_shares`.

Depth 3, float64. The service is a `rankward serve` with one worker, asked over HTTP, kernels compiled. The time
of an experiment is that between the start of its first run and the end of its last. That of the same runs for a single
step, with their starts and points, is taken off. The peak is that of a product of
1024 x 1024 matrices in torch on one core, to which the other ways are bound as well. All are measured in turn, REPEATS
times, and the best of each counts. A step counts as 6 n^3 multiply-adds: its products, without losses, updates and
recording.

`--isa avx2` measures what a processor without AVX-512 would do, on any: every way is told to use vectors of 32 bytes.
Warp's compiler still sees 32 registers where there is AVX-512; the tiles of the fused engine use 16.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
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
"""Length of an experiment, unless it is given."""
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2,STRICT",
    "OPENBLAS_CORETYPE": "Haswell",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
"""What makes torch (and by it the fused engine), numpy and JAX take vectors of 32 bytes."""
AVX2_SECONDS = 2.0
"""Length of an experiment of that map, which takes some eight minutes then."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
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
        "record": {"every": 0},
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
    """Microseconds of an experiment, by the times that the service wrote."""
    _, done = service.run(experiment(size, runs, steps))
    rows = list(service.client.runs(done["id"]))
    begun, ended = (
        [datetime.fromisoformat(row[name]) for row in rows if row[name]] for name in ("started_at", "finished_at")
    )
    return (max(ended) - min(begun)).total_seconds() * 1e6


def served(service: Service, size: int, runs: int, seconds: float) -> Callable[[], float]:
    """Measures the microseconds of a step and run by experiments of about so many seconds of steps.

    Short ones come first: one compiles, and the others grow until their steps take half of that time.
    """
    steps = 2 + int(FIRST_STEPS / (multiply_adds(size) * runs))
    microseconds(service, size, runs, steps)
    around = min(microseconds(service, size, runs, 1) for _ in range(REPEATS))

    def each() -> float:
        return max((microseconds(service, size, runs, steps) - around) / ((steps - 1) * runs), 1e-6)

    while (taken := each() * steps * runs) < seconds * 1e6 / 2:
        steps = 1 + int(steps * min(10.0, seconds * 1e6 / taken))
    return each


def row(service: Service, size: int, runs: int, seconds: float) -> str:
    """A line of the table."""
    spec = RunSpec.model_validate(experiment(size, runs, 1)["run"])
    entries = observe_entries(spec.problem)
    start = [np.asarray(factor, dtype=np.float64) for factor in starting_factors(spec)]
    target, mask = (np.asarray(values, dtype=np.float64) for values in (entries.values, entries.mask))
    ways = [make(start, target, mask, runs) for make in (jax_scan, numpy_loop, torch_loop)]
    measures = [served(service, size, runs, seconds), *ways]
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


def measure(cases: Sequence[tuple[int, int]], seconds: float) -> None:
    """Measure and print, in an environment of one thread."""
    torch.set_num_threads(1)
    print(f"peak of a core: {peak():.1f} multiply-adds a nanosecond; {torch.backends.cpu.get_cpu_capability()}\n")
    print("| size, runs | us a step and run | share of peak | JAX (ratio) | numpy (ratio) | torch, autograd (ratio) |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), "--workers", "1")
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # JAX would use all cores
        try:
            for size, runs in cases:
                print(row(service, size, runs, seconds), flush=True)
        finally:
            service.stop()


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print, in a process of its own: libraries read what they are told once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peak_shares", description=__doc__)
    parser.add_argument("--isa", choices=["native", "avx2"], default="native", help="vectors of every way")
    parser.add_argument("--seconds", type=float, help=f"of an experiment; {SECONDS:g}, or {AVX2_SECONDS:g} with avx2")
    parser.add_argument("--sizes", type=int, nargs="+", help="only these sizes")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if not given.here:
        environment = os.environ | ONE_THREAD | (AVX2 if given.isa == "avx2" else {})
        command = [sys.executable, "-m", "benchmarks.peak_shares", *arguments, "--here"]
        subprocess.run(command, env=environment, check=True)
        return
    cases = [case for case in (*BATCHES, *LONE) if given.sizes is None or case[0] in given.sizes]
    measure(cases, given.seconds or (AVX2_SECONDS if given.isa == "avx2" else SECONDS))


if __name__ == "__main__":
    main(sys.argv[1:])
