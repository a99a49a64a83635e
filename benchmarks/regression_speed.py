"""Regression of 1000 samples in 100 dimensions with one output, 64 runs: its steps against products of large matrices.

`python -m benchmarks.regression_speed`; one core, shares of what a product of 1000 x 1000 matrices reaches in the same
process. A step is timed whole, and its two matrix products alone.
"""

import time
from collections.abc import Callable

import torch

from workers.lab.models.base import build_model
from workers.lab.models.layout import FactorLayout
from workers.runs.reduction import reduced
from workers.runs.spec import RunSpec

RUNS, SAMPLES, DIMENSION = 64, 1000, 100
SPEC = RunSpec.model_validate(
    {
        "problem": {"kind": "random_regression", "samples": SAMPLES, "dimension": DIMENSION, "noise": 0.1},
        "model": {"kind": "deep_matrix", "depth": 1},
        "init": {"kind": "gaussian", "std": 0.1},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-4},
        "stop": {"max_steps": 1},
    }
)


def seconds(call: Callable[[], object], repeats: int = 60, calls: int = 20) -> float:
    """Least seconds of a call over several repeats."""
    call()
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - begun) / calls)
    return best


def peak() -> float:
    """Multiply-adds per second of a large product."""
    square = torch.randn(1000, 1000, dtype=torch.float64)
    out = torch.empty_like(square)
    return 1e9 / seconds(lambda: torch.mm(square, square, out=out), 15, calls=1)


@torch.inference_mode()
def main() -> None:
    """Print shares of the peak, and what a step on all samples would take at the peak."""
    most = peak()
    layout = FactorLayout(SPEC.factor_shapes, RUNS)
    factors, gradient = torch.randn(layout.size).double(), torch.empty(layout.size).double()
    loss = torch.zeros(RUNS, 1, 1).double()
    evaluate = build_model([SPEC] * RUNS, layout.blocks(gradient)).bind(layout.blocks(factors), loss)
    rows, columns = reduced(SPEC.problem).tensors.shape
    multiply_adds = 2 * RUNS * rows * columns
    taken = seconds(evaluate)
    print(f"peak {most / 1e9:.1f} G multiply-adds per second")
    print(f"loss and gradient {1e6 * taken:.1f} us: {multiply_adds / taken / most:.0%} of the peak")
    unreduced = 2 * RUNS * SAMPLES * DIMENSION / most
    print(f"on all {SAMPLES} samples, at the peak, {1e6 * unreduced:.1f} us: {unreduced / taken:.1f} times as long")


if __name__ == "__main__":
    main()
