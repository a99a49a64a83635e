"""Up to which size the fused engine beats batched products: `python -m benchmarks.size_limit`, one core, float64.

Nanoseconds per step per run of both engines for squares of growing dimension, with one run, 8 and 128, and the seconds
that compiling the fused kernels for one run and for 8 lanes took (next to nothing where they are cached on disk).
"""

import time

from benchmarks.descent_speed import engine_loop
from workers.lab.engines.descent import engine as torch_engine
from workers.lab.engines.fused import engine as fused
from workers.runs.costs import multiply_adds_per_step
from workers.runs.engines import fused_limit
from workers.runs.spec import RunSpec

SIZES = ((2, 3), (4, 3), (8, 3), (8, 16), (8, 32), (16, 3), (32, 3), (64, 3), (128, 3), (256, 3))
RUNS = (1, 8, 128)


def spec(dimension: int, depth: int) -> RunSpec:
    """All entries but one observed, a slow descent that never ends."""
    return RunSpec.model_validate(
        {
            "problem": {"kind": "all_but_corner", "dimension": dimension},
            "model": {"kind": "deep_matrix", "depth": depth},
            "init": {"kind": "identity", "scale": 0.3 ** (3 / depth)},
            "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-4},
            "stop": {"max_steps": 10**12},
            "record": {"points_per_decade": 1},
        }
    )


def row(dimension: int, depth: int) -> str:
    """One line of the table."""
    one = spec(dimension, depth)
    compiling, figures = 0.0, list[str]()
    for runs in RUNS:
        began = time.perf_counter()
        measure = engine_loop(fused.advance, one, runs)
        compiling += time.perf_counter() - began
        figures.append(f"{measure():.0f} / {engine_loop(torch_engine.advance, one, runs)():.0f}")
    within = "yes" if fused_limit(one) is None else "no"
    cells = [f"{dimension} x {dimension}, depth {depth}", f"{multiply_adds_per_step(one)}", *figures]
    return " | ".join(["", *cells, f"{compiling:.1f} s", within, ""]).strip()


def main() -> None:
    """Measure and print."""
    heads = ["size", "multiply-adds a step", *(f"fused / torch, runs: {runs}" for runs in RUNS), "compiling", "within"]
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for dimension, depth in SIZES:
        print(row(dimension, depth), flush=True)


if __name__ == "__main__":
    main()
