"""The same points in MLflow, where it is installed: `python -m benchmarks.mlflow_speed`.

MLflow keeps one row per metric and step in its SQL store. It is asked for what `benchmarks.store_speed` and
`benchmarks.query_speed` ask of Rankward, by the fastest calls it has: `log_batch` of a thousand metrics, its limit, and
`get_metric_history`, in this process and so without HTTP.
"""

import logging
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

POINTS, METRICS, RUNS = 2000, 8, 3
METRICS_AT_ONCE = 1000
"""The most that MLflow takes in one call."""


def is_installed() -> bool:
    """Whether MLflow with its SQL store can be imported."""
    return all(find_spec(name) is not None for name in ("mlflow", "sqlalchemy", "alembic"))


def measure(folder: Path) -> None:
    """Store some runs of 2000 points x 8 metrics, ask for the last one, and print."""
    from mlflow.tracking import MlflowClient  # pyright: ignore

    client: Any = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.create_experiment("benchmark")
    began = time.perf_counter()
    ids = [_store(client, experiment, number) for number in range(RUNS)]
    seconds = time.perf_counter() - began
    print(f"points of {METRICS} metrics stored a second by MLflow in SQLite: {RUNS * POINTS / seconds:,.0f}")
    began = time.perf_counter()
    found = [client.get_metric_history(ids[-1], f"metric_{number}") for number in range(METRICS)]
    assert all(len(one) == POINTS for one in found)
    print(f"one trajectory of {POINTS} points x {METRICS} metrics from MLflow: {time.perf_counter() - began:.2f} s")


def _store(client: Any, experiment: str, seed: int) -> str:
    from mlflow.entities import Metric  # pyright: ignore

    values = np.random.default_rng(seed).lognormal(-7, 3, (POINTS, METRICS)).tolist()
    run_id = client.create_run(experiment).info.run_id
    metrics = [
        Metric(f"metric_{number}", value, timestamp=step, step=step)
        for step, row in enumerate(values)
        for number, value in enumerate(row)
    ]
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS_AT_ONCE])
    return run_id


def main() -> None:
    """Measure and print; say so where there is no MLflow."""
    if not is_installed():
        print("MLflow is not installed: `pip install mlflow` to see the same points there.")
        return
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder))


if __name__ == "__main__":
    main()
