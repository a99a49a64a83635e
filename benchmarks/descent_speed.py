"""Nanoseconds per step per run of the basic 2 x 2 setting on one core: `python -m benchmarks.descent_speed`.

Every way starts from the same factors, computes the loss at every step and tests it against a limit that is never met.
Each figure is the best of REPEATS measurements, taken in turns, so that a busy machine disturbs all of them alike.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from workers.lab.engines.descent import engine as torch_engine
from workers.lab.engines.descents import Clock, Descents, Engine
from workers.lab.engines.fused import engine as fused
from workers.records import Budget
from workers.runs.initializers import starting_factors
from workers.runs.milestones import no_milestones
from workers.runs.spec import RunSpec

DEPTHS = (2, 3, 4)
BATCH = 1024
SMALL_BATCH = 64
"""What one slice of an ordinary sweep carries."""
REPEATS = 5
SECONDS = 0.5
LEARNING_RATE, LOSS_BELOW = 3e-3, 1e-300
FLOOR = Path(__file__).with_name("floor.cpp")

Measurement = Callable[[], float]
"""Measures once, in nanoseconds per step per run."""


def start(depth: int) -> list[list[list[float]]]:
    """The factors every way begins from: 0.3 on the diagonal, something small beside it."""
    return [[[0.3, 0.01 * (d + 1)], [0.01 * (d + 1), 0.3]] for d in range(depth)]


def autograd_loop(depth: int) -> Measurement:
    """Plain torch with autograd, as one writes it first."""

    def measure(steps: int = 500) -> float:
        factors = [torch.tensor(factor, dtype=torch.float64, requires_grad=True) for factor in start(depth)]
        optimizer = torch.optim.SGD(factors, lr=LEARNING_RATE)
        target, mask = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double(), torch.tensor([[0.0, 1.0], [1.0, 1.0]]).double()
        began = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            product = factors[0]
            for factor in factors[1:]:
                product = product @ factor
            loss = 0.5 * (mask * (product - target) ** 2).sum()
            if loss.item() < LOSS_BELOW:
                break
            loss.backward()
            optimizer.step()
        return (time.perf_counter() - began) / steps * 1e9

    return measure


def hand_written(depth: int, lanes: int, folder: str) -> Measurement:
    """The C++ loop, compiled for this depth and number of lanes."""
    program = f"{folder}/floor_{depth}_{lanes}"
    flags = ["-O3", "-march=native", f"-DDEPTH={depth}", f"-DLANES={lanes}"]
    subprocess.run(["g++", *flags, str(FLOOR), "-o", program], check=True)
    steps = 3_000_000 // lanes

    def measure() -> float:
        printed = subprocess.run([program, str(steps)], check=True, capture_output=True, text=True).stdout
        return float(printed.split()[0])

    return measure


def engine_loop(advance: Engine, spec: RunSpec, runs: int) -> Measurement:
    """An engine on a batch of equal runs, compiled and warm."""
    batch = _descents(spec, runs)
    advance(batch, Clock(Budget(60, steps=1)), "cpu")

    def measure() -> float:
        before, began = batch.steps.sum(), time.perf_counter()
        advance(batch, Clock(Budget(SECONDS)), "cpu")
        return float((time.perf_counter() - began) / (batch.steps.sum() - before) * 1e9)

    return measure


def basic_spec(depth: int) -> RunSpec:
    """The basic 2 x 2 setting, without an end."""
    return RunSpec.model_validate(
        {
            "problem": {"kind": "perturbed_2x2"},
            "model": {"kind": "deep_matrix", "depth": depth},
            "init": {"kind": "explicit", "factors": start(depth)},
            "optimizer": {"kind": "gradient_descent", "learning_rate": LEARNING_RATE},
            "stop": {"max_steps": 10**12, "loss_below": LOSS_BELOW},
            "record": {"points_per_decade": 100},
        }
    )


def _descents(spec: RunSpec, runs: int) -> Descents:
    states = np.tile(np.concatenate([factor.ravel() for factor in starting_factors(spec)]), (runs, 1))
    steps, begun = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=bool)
    return Descents([spec] * runs, steps, states, no_milestones(runs), begun, [None] * runs)


def measurements(depth: int, folder: str) -> dict[str, Measurement]:
    """Every way to take the steps, by name; the C++ loops only where there is a compiler."""
    ways = {"autograd loop": autograd_loop(depth)}
    if shutil.which("g++"):
        ways |= {"C++, one run": hand_written(depth, 1, folder), "C++, 8 lanes": hand_written(depth, 8, folder)}
    for name, advance in (("torch", torch_engine.advance), ("fused", fused.advance)):
        ways |= {f"{name}, one run": engine_loop(advance, basic_spec(depth), 1)}
        for runs in (SMALL_BATCH, BATCH):
            ways |= {f"{name}, {runs} runs": engine_loop(advance, basic_spec(depth), runs)}
    return ways


def measure_all(folder: str) -> dict[str, list[float]]:
    """Best figure of each way, one per depth."""
    table: dict[str, list[float]] = {}
    for depth in DEPTHS:
        ways = measurements(depth, folder)
        rounds = [{name: measure() for name, measure in ways.items()} for _ in range(REPEATS)]
        for name in ways:
            table.setdefault(name, []).append(min(one[name] for one in rounds))
    return table


def print_table(table: dict[str, list[float]]) -> None:
    """One row per way and per ratio, one column per depth."""
    print("| ns per step per run | " + " | ".join(f"depth {depth}" for depth in DEPTHS) + " |")
    print("|---|" + "---|" * len(DEPTHS))
    for name, figures in table.items():
        _print_row(name, figures)
    ratios = [("fused, one run", "C++, one run"), (f"fused, {BATCH} runs", "C++, 8 lanes")]
    ratios += [(f"torch, {BATCH} runs", f"fused, {BATCH} runs"), ("autograd loop", "fused, one run")]
    for above, below in ratios:
        if below in table:
            figures = [a / b for a, b in zip(table[above], table[below], strict=True)]
            _print_row(f"({above}) / ({below})", figures)


def _print_row(name: str, figures: list[float]) -> None:
    print(
        f"| {name} | " + " | ".join(f"{figure:.3g}" if figure < 1000 else f"{figure:.0f}" for figure in figures) + " |"
    )


def main() -> None:
    """Measure and print."""
    if not shutil.which("g++"):
        print("There is no g++ here, so the hand-written C++ loop is left out.")
    with tempfile.TemporaryDirectory() as folder:
        print_table(measure_all(folder))


if __name__ == "__main__":
    main()
