"""Runs as they could have ended, in the store without having been run."""

import math
import random
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from service.store.experiments import insert_experiment, insert_runs
from service.store.run_rows import new_run
from service.store.tables import runs, summaries, trajectory_points
from tests.helpers.specs import BASIC
from workers.runs.metrics import METRICS, SUMMARY_METRICS, metrics_of, summary_metrics_of
from workers.runs.spec import RunSpec

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
TAGS = (
    {"paper": "2005.06398", "trial": "10"},
    {"paper": "Other", "my tag": "100%", "trial": "9"},
    {},
    {"paper": "é", "trial": "1e1"},
)
COMPUTED_WITH = {
    "rankward": "0.1.0",
    "python": "3.11.7",
    "numpy": "2.4.6",
    "torch": "2.13.0+cpu",
    "warp": "1.19.0",
    "processor": "A Processor",
    "instructions": "AVX512",
    "gpu": None,
}
NUMBERS = (0.0, 1.0, -1.5, 0.1, 1e-300, 1e300, math.inf, -math.inf, None, 5e-324, 3.0)


def fill(database, count, seed=0):
    """Four experiments with `count` runs each, all of them different."""
    chance = random.Random(seed)
    for number in range(len(TAGS)):
        store(database, chance, number, [_spec(chance) for _ in range(count)])


def store(database, chance, number, specs):
    """The experiment of a number with runs of some specs, as they could have ended."""
    values = {
        "public_id": f"experiment-{number}",
        "name": ("first", "Second", "", "zweites %_*?[")[number],
        "tags": TAGS[number],
        "priority": (0, -5, 100, 0)[number],
        "run": {},
        "sweep": [],
        "created_at": NOW + timedelta(days=number),
        "body_digest": "",
    }
    with database.writing() as connection:
        insert_runs(
            connection,
            insert_experiment(connection, values),
            [_row(chance, spec, index) for index, spec in enumerate(specs)],
        )
        ids = connection.scalars(sa.select(runs.c.id).order_by(runs.c.id.desc()).limit(len(specs))).all()
        for run_id, spec in zip(reversed(ids), specs, strict=True):
            if chance.random() < 0.8:
                connection.execute(sa.insert(summaries), _summary(chance, run_id, spec))
                connection.execute(sa.insert(trajectory_points), _points(chance, run_id, spec))


def _spec(chance):
    matrix = {
        **BASIC,
        "model": {"kind": "deep_matrix", "depth": chance.choice([2, 3, 4])},
        "init": chance.choice([BASIC["init"], {"kind": "identity", "scale": 0.5}]),
        "optimizer": {"kind": "gradient_descent", "learning_rate": chance.choice([1e-3, 1e-2])},
        "stop": {"max_steps": 10} | chance.choice([{}, {"loss_below": 1e-3}]),
        "seed": chance.randrange(5),
    }
    measured = {"kind": "low_rank_sensing", "shape": [3, 2], "rank": 1, "measurements": 4, "held_out": 2}
    tensor = {
        **BASIC,
        "problem": {"kind": "low_rank_completion", "shape": [3, 3, 3], "rank": 1, "observed": 9},
        "model": {"kind": "cp_tensor", "rank": chance.choice([2, 3])},
        "init": {"kind": "gaussian", "std": 0.1},
        "optimizer": {"kind": "group_rmsprop", "learning_rate": 1e-2},
    }
    stds = chance.choice([0.1, [0.1] * BASIC["model"]["depth"]])
    sensing = {**BASIC, "problem": measured, "init": {"kind": "gaussian", "std": stds}}
    listed = {"kind": "completion", "shape": [2, 2], "observations": [{"index": [0, 1], "value": 2.0}]}
    completion = {**BASIC, "problem": listed, "init": {"kind": "identity", "scale": 1.0}}
    ends = {"max_time": chance.choice([3.0, 30.0])}
    flow = {**BASIC, "engine": "auto", "optimizer": {"kind": "gradient_flow"}, "stop": ends}
    return RunSpec.model_validate(chance.choice([matrix, matrix, tensor, sensing, completion, flow]))


def _row(chance, spec, index):
    status = chance.choice(STATUSES)
    return {
        **new_run(spec, index, NOW + timedelta(seconds=chance.randrange(4))),
        "status": status,
        "outcome": chance.choice(["converged", "diverged", "budget_exhausted"]) if status == "succeeded" else None,
        "error": chance.choice(["no start", "a % sign", "back\\slash", "x*?[y]"]) if status == "failed" else None,
        "step": chance.randrange(6),
        "compute_seconds": chance.choice([0.0, 2.0]),
        "engine": chance.choice([None, "fused", "torch"]),
        "device": chance.choice([None, "cpu"]),
        "computed_with": chance.choice([None, COMPUTED_WITH, {**COMPUTED_WITH, "torch": "2.14.1", "gpu": "H200"}]),
        "started_at": chance.choice([None, NOW]),
        "finished_at": chance.choice([None, NOW + timedelta(microseconds=5)]),
    }


def _summary(chance, run_id, spec):
    applicable = metrics_of(spec)
    kinds = {name: METRICS[name] for name in applicable} | {n: SUMMARY_METRICS[n] for n in summary_metrics_of(spec)}
    return {
        "run_id": run_id,
        "steps": chance.randrange(6),
        "time": chance.choice(NUMBERS),
        "determinant_sign_changed_at": chance.choice([None, 3]) if "determinant_sign" in applicable else None,
        "drift_exceeded_at": chance.choice([None, 4]) if "conservation_drift" in applicable else None,
        "first_step_below": chance.choice([{}, {"1e0": 0}, {"1e0": 0, "1e-1": 3}]),
        **{name: _value(chance, kind) for name, kind in kinds.items()},
    }


def _points(chance, run_id, spec):
    applicable = metrics_of(spec)
    metrics = {name: kind for name, kind in METRICS.items() if name in applicable}
    return [
        {"run_id": run_id, "step": step, "time": step * 0.1, **{n: _value(chance, kind) for n, kind in metrics.items()}}
        for step in (0, 1, 10, 100)
    ]


def _value(chance, kind):
    if kind == "text":
        return chance.choice(["clarabel", "scs"])
    if kind == "vector":
        return [chance.choice([1.5, "NaN", "Infinity", "-Infinity", 0.0]) for _ in range(2)]
    return chance.choice([-1, 0, 1]) if kind == "integer" else chance.choice(NUMBERS)


def literal(value):
    """A value as it is written in a query."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"
