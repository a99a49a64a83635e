"""How long a step of a diagonal network takes, for each run of a batch: d = 100, 40 samples, 100 seeds, on one core.

python -m benchmarks.diagonal_speed
"""

import json
import time

from workers.records import Batch, Budget, Member
from workers.runs.engines import engine_of
from workers.runs.spec import RunSpec
from workers.slices import run_slice

DIMENSION, SAMPLES, SEEDS = 100, 40, 100
STEPS, WARM_UP = 3000, 200


def spec(seed: int, steps: int, engine: str) -> RunSpec:
    """A run of the batch."""
    return RunSpec.model_validate(
        {
            "problem": {"kind": "random_regression", "samples": SAMPLES, "dimension": DIMENSION, "sparsity": 5},
            "model": {"kind": "diagonal", "depth": 2},
            "init": {"kind": "gaussian", "std": 0.1},
            "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-4},
            "stop": {"max_steps": steps},
            "record": {"every": 0},
            "engine": engine,
            "seed": seed,
        }
    )


def seconds_of(steps: int, engine: str) -> float:
    """Seconds of a processor that a batch takes, its preparation included."""
    batch = Batch(tuple(Member(json.dumps(spec(seed, steps, engine).resolved()), None) for seed in range(SEEDS)))
    started = time.process_time()
    run_slice(batch, Budget(600))
    return time.process_time() - started


def main() -> None:
    """Print the time of a step of a run on each engine that takes the model."""
    for engine in dict.fromkeys(("torch", engine_of(spec(0, 1, "auto")))):
        seconds_of(WARM_UP, engine)
        fewer, more = seconds_of(STEPS, engine), seconds_of(3 * STEPS, engine)
        print(f"{engine}: {1e6 * (more - fewer) / (2 * STEPS * SEEDS):.2f} us for a step of a run")


if __name__ == "__main__":
    main()
