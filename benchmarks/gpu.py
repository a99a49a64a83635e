"""`make gpu`: every test that needs a GPU, then the steps of both engines on one, beside what the device can do.

`python -m benchmarks.gpu --device cpu` tries the benchmark on a machine without one, with small counts and no tests.
Steps are those of the engines alone: two lengths are measured and subtracted, so that layouts, copies and compiling
drop out. The floor of a step is the larger of two times, both measured first: that of its multiply-adds at the pace of
a large product, and that of what cannot happen at once. For torch the latter is one launch, for the fused engine the
longest chain of dependent multiply-adds. Times are the least of ROUNDS.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp

from workers.lab.engines.descent import engine as torch_engine
from workers.lab.engines.descents import Clock, Descents, Engine
from workers.lab.engines.fused import engine as fused_engine
from workers.lab.native.building import start_warp
from workers.records import Budget
from workers.runs.costs import multiply_adds_per_step, state_numbers
from workers.runs.engines import engine_of
from workers.runs.initializers import starting_factors
from workers.runs.milestones import no_milestones
from workers.runs.spec import RunSpec

ROUNDS = 3
CHAIN = 10
"""Dependent multiply-adds of a step of three 2 x 2 factors, see benchmarks/README.md."""
LAUNCHES = 1000
LATENCY_STEPS = 1_000_000
MOST_STEPS = 10**7


@dataclass(frozen=True)
class Setting:
    """A line of the table; `few` runs stand in for `runs` on a CPU."""

    name: str
    runs: int
    few: int
    run: dict[str, Any]


@dataclass(frozen=True)
class Device:
    """What a device can do.

    Attributes:
        name: cuda or cpu.
        peak: multiply-adds a second of a large product, by precision.
        launch: seconds of a launch: on a GPU of an empty kernel in a graph, on a CPU of an operation on one number.
        multiply_add: seconds of a multiply-add that waits for the last one.
    """

    name: str
    peak: dict[str, float]
    launch: float
    multiply_add: float


def matrix(size: int) -> dict[str, Any]:
    """A run of three square factors that takes all its steps."""
    return {
        "problem": {"kind": "all_but_corner", "dimension": size},
        "model": {"kind": "deep_matrix", "depth": 3},
        "init": {"kind": "gaussian", "std": 0.3 / size**0.5},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-4},
    }


def tensor(order: int, dimension: int, rank: int, precision: str) -> dict[str, Any]:
    """A run of a CP factorisation, half of its entries observed."""
    shape = [dimension] * order
    return {
        "problem": {"kind": "low_rank_completion", "shape": shape, "rank": 3, "observed": dimension**order // 2},
        "model": {"kind": "cp_tensor", "rank": rank},
        "init": {"kind": "gaussian", "std": 0.05},
        "optimizer": {"kind": "group_rmsprop", "learning_rate": 1e-4},
        "precision": precision,
    }


SETTINGS = (
    Setting("2 x 2, depth 3", 1, 1, matrix(2)),
    Setting("2 x 2, depth 3", 10**3, 10**2, matrix(2)),
    Setting("2 x 2, depth 3", 10**5, 10**3, matrix(2)),
    Setting("100 x 100, depth 3", 16, 2, matrix(100)),
    Setting("100 x 100, depth 3", 256, 4, matrix(100)),
    Setting("CP of order 3: 16, rank 256", 1, 1, tensor(3, 16, 256, "float64")),
    Setting("CP of order 3: 16, rank 256", 64, 4, tensor(3, 16, 256, "float64")),
    Setting("CP of order 4: 8, rank 512, float32", 1, 1, tensor(4, 8, 512, "float32")),
    Setting("CP of order 4: 8, rank 512, float32", 64, 4, tensor(4, 8, 512, "float32")),
)


def least_seconds(call: Callable[[], object], device: str) -> float:
    """The least time of a call, of ROUNDS after a first one."""
    call()
    times = list[float]()
    for _ in range(ROUNDS):
        _finish(device)
        began = time.perf_counter()
        call()
        _finish(device)
        times.append(time.perf_counter() - began)
    return min(times)


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def measured_device(name: str) -> Device:
    """Measure a device."""
    return Device(name, {kind: peak(kind, name) for kind in ("float64", "float32")}, launch(name), multiply_add(name))


def peak(precision: str, device: str) -> float:
    """Multiply-adds a second of a large product."""
    order = 8192 if device == "cuda" else 1024
    left = torch.randn(order, order, dtype=getattr(torch, precision), device=device)
    out = torch.empty_like(left)
    return order**3 / least_seconds(lambda: torch.mm(left, left, out=out), device)


def launch(device: str) -> float:
    """Seconds of a launch, see `Device`."""
    number = torch.zeros(1, device=device)

    def calls() -> None:
        for _ in range(LAUNCHES):
            number.add_(1)

    if device == "cpu":
        return least_seconds(calls, device) / LAUNCHES
    calls()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        calls()
    return least_seconds(graph.replay, device) / LAUNCHES


@wp.kernel(enable_backward=False)  # pyright: ignore
def _chain(steps: int, factor: wp.float64, out: wp.array(dtype=wp.float64)):  # pyright: ignore
    value = out[0]
    for _ in range(steps):
        value = value * factor + factor
    out[0] = value


def multiply_add(device: str) -> float:
    """Seconds of a multiply-add that waits for the last one."""
    start_warp()
    out = wp.zeros(1, dtype=wp.float64, device=device)
    inputs = [LATENCY_STEPS, wp.float64(0.5), out]

    def call() -> None:
        wp.launch(_chain, dim=1, inputs=inputs, device=device)
        wp.synchronize_device(device)

    return least_seconds(call, device) / LATENCY_STEPS


def spec_of(setting: Setting, device: str) -> RunSpec:
    """A run that records nothing on the way and never stops early."""
    stop, record = {"max_steps": 10**9, "loss_below": 0}, {"points_per_decade": 0}
    return RunSpec.model_validate({**setting.run, "stop": stop, "record": record, "device": device})


def descents(spec: RunSpec, runs: int) -> Descents:
    """As many equal runs at step 0."""
    state = np.zeros(state_numbers(spec), dtype=spec.precision)
    start = np.concatenate([factor.ravel() for factor in starting_factors(spec)])
    state[: len(start)] = start
    states, steps = np.repeat(state[None], runs, axis=0), np.zeros(runs, dtype=np.int64)
    return Descents([spec] * runs, steps, states, no_milestones(runs), np.zeros(runs, dtype=bool), [None] * runs)


def seconds_per_step(spec: RunSpec, runs: int, engine: Engine, device: str, least: float) -> float:
    """Seconds of a step of all runs; stretches grow until the longer one takes `least` seconds more."""

    def seconds(steps: int) -> float:
        batch = descents(spec, runs)
        began = time.perf_counter()
        engine(batch, Clock(Budget(3600, steps)), device)
        assert batch.steps.tolist() == [steps] * runs, "a run ended early"
        return time.perf_counter() - began

    steps = 16
    seconds(steps)  # compiles, or captures graphs
    while (more := seconds(3 * steps) - seconds(steps)) < least and steps < MOST_STEPS:
        steps *= 2 if more <= 0 else int(np.clip(1.5 * least / more, 2, 20))
    longer, shorter = (min(seconds(count) for _ in range(ROUNDS)) for count in (3 * steps, steps))
    return max(longer - shorter, 0.0) / (2 * steps) or float("nan")


def row(setting: Setting, device: Device, least: float) -> str:
    """A line of the table."""
    spec, runs = spec_of(setting, device.name), setting.runs if device.name == "cuda" else setting.few
    engine = engine_of(spec)
    taken = seconds_per_step(
        spec, runs, fused_engine.advance if engine == "fused" else torch_engine.advance, device.name, least
    )
    work = multiply_adds_per_step(spec) * runs / device.peak[spec.precision]
    waiting = CHAIN * device.multiply_add if engine == "fused" and setting.run == matrix(2) else device.launch
    bound, floor = max(("peak", work), ("latency", waiting), key=lambda pair: pair[1])
    paces = f"{1 / taken:.4g} | {runs / taken:.4g} | {taken * 1e6:.4g}"
    return f"| {setting.name} | {runs} | {engine} | {paces} | {100 * floor / taken:.2g} % of {bound} |"


def tests_passed() -> bool:
    """Run every test that is marked `gpu`; none must be skipped."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-n", "0", "-q", "tests"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr, sep="", flush=True)
    return done.returncode == 0 and "skipped" not in done.stdout.splitlines()[-1]


def main() -> int:
    """Test, measure and print; the exit status says whether all tests passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=1.0, help="least length of a measurement")
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        print("torch sees no CUDA device here; --device cpu tries the benchmark without one.", file=sys.stderr)
        return 1
    passed = chosen.device == "cpu" or tests_passed()
    device = measured_device(chosen.device)
    name = torch.cuda.get_device_name() if chosen.device == "cuda" else torch.backends.cpu.get_cpu_capability()
    peaks = ", ".join(f"{pace * 1e-9:.4g} in {precision}" for precision, pace in device.peak.items())
    print(f"{name}: {peaks} multiply-adds a nanosecond of a large product; a launch {device.launch * 1e6:.3g} us,")
    print(f"a multiply-add that waits for the last one {device.multiply_add * 1e9:.3g} ns.\n")
    print("| setting | runs | engine | steps a second | run-steps a second | us a step | share |")
    print("|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        print(row(setting, device, chosen.seconds), flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
