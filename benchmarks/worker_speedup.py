"""What a second worker brings: `python -m benchmarks.worker_speedup`.

One compute-bound sweep on a `rankward serve` of one worker and on one of two, kernels compiled, in turn, several times;
the ratio is that of the fastest of each. Two workers want two cores, which the dispatcher and the API share with them;
the service is seldom asked how far it is, and times are those it wrote.
"""

import argparse
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.service_speed import Service

SWEEP: dict[str, Any] = {
    "run": {
        "problem": {"kind": "perturbed_2x2"},
        "model": {"kind": "deep_matrix", "depth": 3},
        "init": {"kind": "gaussian", "std": 1e-6, "std_of": "product", "determinant": "positive"},
        "optimizer": {"kind": "gradient_descent", "learning_rate": 3e-3},
        "stop": {"max_steps": 16_000_000},
        "record": {"points_per_decade": 10},
    },
    "sweep": [{"seed": list(range(512))}],
}
"""No run stops early, so that every batch stays full: 8e9 steps of few enough runs that storing them is little work."""

SECONDS_BETWEEN_LOOKS = 2.0


def seconds_with(workers: int, folder: Path) -> float:
    """Seconds from the submission of the sweep until the last of it is over."""
    service = Service(folder, "--workers", str(workers))
    try:
        service.run({"run": {**SWEEP["run"], "stop": {"max_steps": 1000}}, "sweep": [{"seed": list(range(16))}]})
        submitted = service.client.submit(SWEEP)
        while (done := service.client.experiment(submitted["id"]))["status"] in ("queued", "running"):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        assert done["status"] == "succeeded", done["runs"]
        ends = [datetime.fromisoformat(run["finished_at"]) for run in service.client.runs(submitted["id"])]
        return (max(ends) - datetime.fromisoformat(submitted["created_at"])).total_seconds()
    finally:
        service.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(parser.parse_args().times):
        for workers, found in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                found.append(seconds_with(workers, Path(folder)))
    one, two = (min(found) for found in seconds.values())
    print(
        f"{len(SWEEP['sweep'][0]['seed'])} runs of {SWEEP['run']['stop']['max_steps']:,} steps: one worker {one:.1f} s,"
    )
    print(f"  two workers {two:.1f} s, {one / two:.2f} times the throughput")


if __name__ == "__main__":
    main()
