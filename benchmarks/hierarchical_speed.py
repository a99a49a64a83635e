"""How long a step of a hierarchical tensor of order 4, dimension 8 and widths 512 takes, beside its large products.

python -m benchmarks.hierarchical_speed; one core. A node's factor, 512 x 512, meets 64 rows in three products a step:
the tensors of the node, the gradient in its factor, and the gradient in what is below it. Two nodes make six, all of
the same size, and all else has an eighth of their multiply-adds.
"""

import json
import time
from collections.abc import Callable
from statistics import median

import torch

from workers.records import Batch, Budget, Member
from workers.runs.spec import RunSpec
from workers.slices import run_slice

DIMENSION, WIDTH, ROWS = 8, 512, 64
STEPS, PAIRS = 40, 5
PRECISIONS = ("float64", "float32")


def spec(precision: str) -> RunSpec:
    """A completion of half of the entries."""
    return RunSpec.model_validate(
        {
            "problem": {"kind": "low_rank_completion", "shape": [DIMENSION] * 4, "rank": 3, "observed": 2048},
            "model": {"kind": "hierarchical_tensor", "widths": [WIDTH, WIDTH]},
            "init": {"kind": "gaussian", "std": 0.02},
            "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-3},
            "stop": {"max_steps": 10**9},
            "record": {"every": 0},
            "precision": precision,
        }
    )


def seconds_of_step(precision: str) -> float:
    """Seconds of a step, from slices of a run that has begun."""
    text = json.dumps(spec(precision).resolved())
    (begun,) = run_slice(Batch((Member(text, None),)), Budget(600, 1)).progress
    few, many = (_seconds_of(Member(text, begun.checkpoint), steps) for steps in (1, STEPS + 1))
    return (many - few) / STEPS


def _seconds_of(run: Member, steps: int) -> float:
    started = time.process_time()
    run_slice(Batch((run,)), Budget(600, steps))
    return time.process_time() - started


def seconds_of_node(precision: str) -> float:
    """Seconds of the three products of a node, on matrices that are laid out as a step has them."""
    dtype = getattr(torch, precision)
    below, signal = torch.randn(ROWS, WIDTH, dtype=dtype), torch.randn(ROWS, WIDTH, dtype=dtype)
    factor = torch.randn(WIDTH, WIDTH, dtype=dtype)
    tensors, in_factor, in_below = torch.empty_like(below), torch.empty_like(factor), torch.empty_like(below)

    def products() -> None:
        torch.mm(below, factor, out=tensors)
        torch.mm(below.T, signal, out=in_factor)
        torch.mm(signal, factor.T, out=in_below)

    return _repeated(products)


def _repeated(products: Callable[[], None]) -> float:
    products()
    started = time.process_time()
    for _ in range(STEPS):
        products()
    return (time.process_time() - started) / STEPS


def main() -> None:
    """Print medians of paired measurements: the step, and what it takes over the products of two nodes, and of one."""
    torch.set_num_threads(1)
    for precision in PRECISIONS:
        pairs = [(seconds_of_step(precision), seconds_of_node(precision)) for _ in range(PAIRS)]
        step, node = (median(values) for values in zip(*pairs, strict=True))
        ratio = median(step / node for step, node in pairs)
        print(
            f"{precision}: {1e3 * step:.2f} ms a step; {ratio / 2:.2f} of its six large products, "
            f"{ratio:.2f} of the three of a node, which take {1e3 * node:.2f} ms"
        )


if __name__ == "__main__":
    main()
