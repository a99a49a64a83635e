"""Rows as the first released schema (revision 0001) held them, written down so that no later code has a hand in them."""

import struct
from typing import Any

import sqlalchemy as sa

SPEC = (
    '{"problem":{"kind":"perturbed_2x2","z":1.0,"z_prime":1.0,"epsilon":-0.0},"model":{"kind":"deep_matrix","depth":2,'
    '"hidden_width":2},"init":{"kind":"identity","scale":1e-300},"optimizer":{"kind":"gradient_descent",'
    '"learning_rate":0.1},"stop":{"max_steps":9007199254740991,"loss_below":null},"loss":"half_sse","record":'
    '{"points_per_decade":100,"every":null,"metrics":[],"entries":[]},"engine":"auto","precision":"float64","seed":7}'
)
WHEN = "2026-01-02 03:04:05.678901"
STATE = struct.pack("<8d", 0.1, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 2.0, -1e-300, 0.0)
MILESTONES = struct.pack("<2q", -1, 12)
LOSSES = (1.0, 0.1 + 0.2, 2.2250738585072014e-308)
SINGULAR_VALUES = "[0.30000000000000004,1e-300]"

EXPERIMENT: dict[str, Any] = {
    "id": 1,
    "public_id": "0197a000-0000-7000-8000-000000000001",
    "name": "kept",
    "tags": '{"paper":"2005.06398"}',
    "run": SPEC,
    "sweep": "[]",
    "created_at": WHEN,
    "idempotency_key": "first",
    "body_digest": "0" * 64,
}
RUN: dict[str, Any] = {
    "experiment_id": 1,
    "created_at": WHEN,
    "spec": SPEC,
    "problem_kind": "perturbed_2x2",
    "rows": 2,
    "columns": 2,
    "model_kind": "deep_matrix",
    "depth": 2,
    "init_kind": "identity",
    "init_scale": 1e-300,
    "optimizer_kind": "gradient_descent",
    "learning_rate": 0.1,
    "max_steps": 9007199254740991,
    "loss_kind": "half_sse",
    "precision": "float64",
    "seed": 7,
    "batch_key": "fused 2x2 depth=2",
    "numbers": 8,
}
RUNS: list[dict[str, Any]] = [
    {"id": 1, "index": 0, "status": "succeeded", "outcome": "converged", "step": 12, "finished_at": WHEN},
    {"id": 2, "index": 1, "status": "running", "step": 5, "started_at": WHEN, "lease_token": "t", "leased_until": WHEN},
    {"id": 3, "index": 2, "status": "queued", "batch_limit": 4, "attempts": 1},
]


def fill(connection: sa.Connection) -> None:
    """Write one experiment, three runs (over, leased, halved after a failure), and what the first one left behind."""
    _insert(connection, "experiments", EXPERIMENT)
    for run in RUNS:
        _insert(connection, "runs", {**RUN, **run, "public_id": f"0197a000-0000-7000-8000-00000000001{run['id']}"})
    _insert(connection, "checkpoints", {"run_id": 1, "step": 12, "state": STATE, "milestones": MILESTONES})
    summary = {"steps": 12, "time": 1.2, "first_step_below": '{"0.1":3}', "singular_values": SINGULAR_VALUES}
    _insert(connection, "run_summaries", {"run_id": 1, **summary, "loss": LOSSES[-1], "determinant_sign": -1})
    for step, loss in enumerate(LOSSES):
        point = {"run_id": 1, "step": step, "time": step * 0.1, "loss": loss, "singular_values": SINGULAR_VALUES}
        _insert(connection, "trajectory_points", point)


def _insert(connection: sa.Connection, table: str, row: dict[str, Any]) -> None:
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join([mark] * len(row))
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
