"""Steps with mini-batches and noise against the same steps without, on the engine that `auto` takes.

`python -m benchmarks.noise_cost`; one core. Ratios of seconds per step, medians of paired measurements.
"""

import time
from statistics import median
from typing import Any

import torch

from workers.records import Batch, Budget, Member
from workers.runs.spec import RunSpec
from workers.slices import run_slice

RUNS, PAIRS = 8, 3
STEPS = {"2 x 2, depth 3": 20_000}
FEW_STEPS = 24
NORMAL, SIGNS = ({"std": 0.1, "distribution": name} for name in ("normal", "rademacher"))
DISTURBANCES: dict[str, dict[str, Any]] = {
    "label noise, normal": {"noise": {"kind": "label", **NORMAL}},
    "label noise, rademacher": {"noise": {"kind": "label", **SIGNS}},
    "gradient noise, normal": {"noise": {"kind": "gradient", **NORMAL}},
    "gradient noise, rademacher": {"noise": {"kind": "gradient", **SIGNS}},
    "batches of 1": {"batch": {"size": 1}},
    "batches of 1 with replacement": {"batch": {"size": 1, "replacement": True}},
}
COMPLETION = {"kind": "low_rank_completion", "shape": [100, 100], "rank": 5, "observed": 2000}
PROBLEMS: dict[str, dict[str, Any]] = {
    "2 x 2, depth 3": {"problem": {"kind": "perturbed_2x2"}, "model": {"kind": "deep_matrix", "depth": 3}},
    "100 x 100, 2000 entries, depth 3": {"problem": COMPLETION, "model": {"kind": "deep_matrix", "depth": 3}},
    "regression, 50 samples, 100 dimensions": {
        "problem": {"kind": "random_regression", "samples": 50, "dimension": 100},
        "model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 1},
    },
}


def batch(parts: dict[str, Any], disturbance: dict[str, Any]) -> Batch:
    """Runs with these parts, with seeds of their own."""
    rest = {"init": {"kind": "gaussian", "std": 0.01}, "stop": {"max_steps": 10**9}, "record": {"every": 0}}
    optimizer = {"kind": "gradient_descent", "learning_rate": 1e-6, **disturbance}
    run = {**parts, **rest, "optimizer": optimizer}
    specs = (RunSpec.model_validate({**run, "seed": seed}) for seed in range(RUNS))
    fresh = Batch(tuple(Member(spec.model_dump_json(exclude_none=True), None) for spec in specs))
    begun = run_slice(fresh, Budget(600, 1)).progress
    return Batch(tuple(Member(one.spec, run.checkpoint) for one, run in zip(fresh.members, begun, strict=True)))


def seconds_per_step(runs: Batch, steps: int) -> float:
    """Seconds of a step of all runs."""
    begun = time.perf_counter()
    run_slice(runs, Budget(600, steps))
    return (time.perf_counter() - begun) / steps


def main() -> None:
    """Print a line for each problem and each disturbance."""
    torch.set_num_threads(1)
    for name, parts in PROBLEMS.items():
        plain, steps = batch(parts, {}), STEPS.get(name, FEW_STEPS)
        for kind, disturbance in DISTURBANCES.items():
            disturbed = batch(parts, disturbance)
            pairs = [(seconds_per_step(disturbed, steps), seconds_per_step(plain, steps)) for _ in range(PAIRS)]
            ratio, step = (median(values) for values in zip(*((a / b, b) for a, b in pairs), strict=True))
            print(f"{name}: {kind}: {ratio:.2f} of {1e6 * step:.0f} us a step of {RUNS} runs")


if __name__ == "__main__":
    main()
