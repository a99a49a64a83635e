"""Rows of many runs, written straight into the tables: experiments of given sizes, as a service would have stored them.

A run is a copy of one of a few templates, made by the database itself; its points and its summary are drawn here and
written as slices write them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from service.store.database import Database
from service.store.experiments import insert_experiment, insert_runs
from service.store.inserts import upsert_columns
from service.store.point_writes import insert_points, metric_columns
from service.store.run_rows import new_run
from service.store.tables import experiments, runs, summaries
from service.values.ids import new_id
from workers.results import Points
from workers.runs.metrics import METRICS, metrics_of
from workers.runs.spec import RunSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "problem": {"kind": "perturbed_2x2"},
    "model": {"kind": "deep_matrix", "depth": 3},
    "init": {"kind": "gaussian", "std": 1e-6, "std_of": "product", "determinant": "positive"},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 3e-3},
    "stop": {"max_steps": 5_000_000, "loss_below": 1e-4},
}
DEPTHS, RATES, STDS = (2, 3, 4), (1e-3, 3e-3, 1e-2), (1e-6, 1e-4)
"""Of the templates, which are crossed; the seed is the last axis of each experiment's sweep."""

RUNS_AT_ONCE = 2500
MOST_BAD = 0.03
"""Share of the runs that did not succeed: a third each failed, were cancelled, or are queued."""


@dataclass(frozen=True)
class Kind:
    """Experiments of a size.

    Attributes:
        points: of each run.
    """

    experiments: int
    runs: int
    points: int


def fill(database: Database, kinds: Sequence[Kind]) -> None:
    """Store experiments of several kinds, the first kind first."""
    chance = np.random.default_rng(0)
    for kind in kinds:
        for _ in range(kind.experiments):
            _store(database, kind, chance)
    _settle(database)


def _settle(database: Database) -> None:
    """What autovacuum does before long after so many rows: statistics for plans, and pages that indexes may trust."""
    if not database.one_writes_at_a_time:
        with sa.create_engine(database.url).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")


def _store(database: Database, kind: Kind, chance: np.random.Generator) -> None:
    specs = [_spec(depth, rate, std) for depth in DEPTHS[: kind.runs] for rate in RATES[: kind.runs] for std in STDS][
        : kind.runs
    ]
    with database.writing() as connection:
        experiment_id, submitted = _experiment(connection, kind)
        templates = [{**new_run(spec, index, submitted), **_ended(submitted)} for index, spec in enumerate(specs)]
        insert_runs(connection, experiment_id, templates)
        _copy_templates(connection, experiment_id, len(specs), kind.runs)
    with database.reading() as connection:
        of_experiment = sa.select(runs.c.id).where(runs.c.experiment_id == experiment_id, runs.c.status != "queued")
        ids = connection.scalars(of_experiment.order_by(runs.c.id)).all()
    for some in _in_pieces(ids, max(1, RUNS_AT_ONCE // math.ceil(kind.points / 20))):
        with database.writing() as connection:
            _insert_results(connection, some, kind.points, chance)


def _spec(depth: int, rate: float, std: float) -> RunSpec:
    changes = {
        "model": {**SPEC["model"], "depth": depth},
        "optimizer": {**SPEC["optimizer"], "learning_rate": rate},
        "init": {**SPEC["init"], "std": std},
    }
    return RunSpec.model_validate({**SPEC, **changes})


def _ended(submitted: datetime) -> dict[str, Any]:
    ended = {"status": "succeeded", "outcome": "converged", "step": 5_000_000, "compute_seconds": 1.0}
    return {
        **ended,
        "engine": "fused",
        "device": "cpu",
        "started_at": submitted,
        "finished_at": submitted + timedelta(hours=1),
    }


def _experiment(connection: sa.Connection, kind: Kind) -> tuple[int, datetime]:
    """Internal id of a new experiment, and when it was submitted: an hour after the one before."""
    submitted = NOW + timedelta(hours=connection.scalar(sa.select(sa.func.count()).select_from(experiments)) or 0)
    sweep = [{"model.depth": list(DEPTHS)}, {"optimizer.learning_rate": list(RATES)}, {"init.std": list(STDS)}]
    values = {
        "public_id": new_id(),
        "name": f"{kind.runs} runs of {kind.points} points",
        "tags": {"size": str(kind.runs)},
        "run": SPEC,
    }
    experiment_id = insert_experiment(
        connection, {**values, "sweep": sweep, "created_at": submitted, "body_digest": ""}
    )
    assert experiment_id is not None
    return experiment_id, submitted


def _copy_templates(connection: sa.Connection, experiment_id: int, templates: int, count: int) -> None:
    """Copy runs until there are `count`, each with a seed, an id and now and then another end."""
    copied = [column.name for column in runs.c if column.name not in _OF_EACH]
    names = ", ".join(f'"{name}"' for name in [*_OF_EACH, *copied])
    sources = ", ".join([*_values_of_each(connection), *(f't."{name}"' for name in copied)])
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT {templates} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"
        if connection.dialect.name == "sqlite"
        else f"WITH n(i) AS (SELECT generate_series({templates}, {count - 1}))"
    )
    joined = f'FROM n JOIN runs t ON t.experiment_id = {experiment_id} AND t."index" = {_rest(templates)}'
    if count > templates:
        ordered = f"SELECT {sources} {joined} ORDER BY n.i"
        connection.exec_driver_sql(f"INSERT INTO runs ({names}) {numbers} {ordered}")


_OF_EACH = ("id", "public_id", "index", "seed", "spec", "status", "outcome", "step", "finished_at")


def _values_of_each(connection: sa.Connection) -> list[str]:
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        driver: Any = connection.connection.driver_connection
        driver.create_function("uuidv7", 0, new_id)
    key = "NULL" if is_sqlite else "nextval(pg_get_serial_sequence('runs', 'id'))"
    text = "t.spec" if is_sqlite else "t.spec::text"
    seeded = f"""replace({text}, '"seed":0', '"seed":' || n.i)"""
    bad = round(1 / MOST_BAD)
    of_bad = _rest(3 * bad)
    status = f"CASE {of_bad} WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'queued' ELSE t.status END"
    outcome = f"CASE WHEN {of_bad} < 3 THEN NULL WHEN {_rest(3)} = 0 THEN 'budget_exhausted' ELSE t.outcome END"
    step = f"CASE {of_bad} WHEN 2 THEN 0 ELSE t.step END"
    finished = f"CASE {of_bad} WHEN 2 THEN NULL ELSE t.finished_at END"
    cast = seeded if is_sqlite else f"({seeded})::json"
    public_id = "uuidv7()" if is_sqlite else "uuidv7()::text"
    return [key, public_id, "n.i", "n.i", cast, status, outcome, step, finished]


def _rest(divisor: int) -> str:
    """The remainder of a run's number, without the sign that a driver takes for a parameter."""
    return f"(n.i - n.i / {divisor} * {divisor})"


def _insert_results(connection: sa.Connection, ids: Sequence[int], points: int, chance: np.random.Generator) -> None:
    total = len(ids) * points
    columns: dict[str, Any] = {"step": np.tile(np.arange(points), len(ids))}
    columns["time"] = columns["step"] * 3e-3
    for name in metrics_of(RunSpec.model_validate(SPEC)):
        shape = (total, 2) if METRICS[name] == "vector" else (total,)
        columns[name] = chance.lognormal(-7, 3, shape) if METRICS[name] != "integer" else np.ones(shape)
    drawn = Points(np.repeat(np.arange(len(ids)), points), columns)
    insert_points(connection, dict(enumerate(ids)), drawn)
    common = {"steps": 5_000_000, "time": 1.5e4, "first_step_below": '{"1e0":0,"1e-1":2000,"1e-2":70000}'}
    last = metric_columns(drawn, np.arange(1, len(ids) + 1) * points - 1)
    summary = {"run_id": list(ids), **{name: [value] * len(ids) for name, value in common.items()}, **last}
    upsert_columns(connection, summaries, summary)


def _in_pieces(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
