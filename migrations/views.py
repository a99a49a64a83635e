"""The read-only views for SQL clients: public ids, names as in specs, every metric that the tables have.

A revision that changes a table under a view drops the views before and creates them again after. They are made of the
columns that the tables have at that moment, so that a new metric is in them from then on.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

_SPEC = {
    "problem_kind": "problem_kind",
    "rows": "product_rows",
    "columns": "product_columns",
    "tensor_order": "tensor_order",
    "observed": "observed",
    "model_kind": "model_kind",
    "depth": "model_depth",
    "components": "model_components",
    "init_kind": "init_kind",
    "init_std": "init_std",
    "init_std_of": "init_std_of",
    "init_scale": "init_scale",
    "balanced": "init_balanced",
    "determinant": "init_determinant",
    "optimizer_kind": "optimizer_kind",
    "learning_rate": "learning_rate",
    "max_steps": "max_steps",
    "loss_below": "loss_below",
    "loss_kind": "loss_kind",
    "precision": "precision",
    "seed": "seed",
}
_STATE = ("status", "outcome", "step", "engine", "device", "created_at", "started_at", "finished_at", "error")
_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
VIEWS = ("trajectory", "run_summary", "experiment_summary")


def create_views(connection: sa.Connection) -> None:
    """Create the views from the tables as they are."""
    found = sa.inspect(connection)
    columns = {
        table: [column["name"] for column in found.get_columns(table)]
        for table in ("run_summaries", "trajectory_points")
    }
    for name, text in _texts(columns).items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {text}")


def drop_views(connection: sa.Connection) -> None:
    """Drop the views."""
    for name in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW {name}")


def _texts(columns: Mapping[str, Iterable[str]]) -> dict[str, str]:
    of_run = [f'r."{column}" AS {name}' for column, name in _SPEC.items()]
    state = [f"r.{name} AS {name}" for name in _STATE]
    ids = ["r.public_id AS run_id", "e.public_id AS experiment_id", "e.name AS experiment_name", "e.tags AS tags"]
    measured = [f's."{name}" AS "{name}"' for name in columns["run_summaries"] if name != "run_id"]
    recorded = [f'p."{name}" AS "{name}"' for name in columns["trajectory_points"] if name != "run_id"]
    joined = "FROM runs r JOIN experiments e ON e.id = r.experiment_id"
    return {
        "run_summary": _select(
            [*ids, 'r."index" AS run_index', *state, "r.compute_seconds AS compute_seconds", *of_run, *measured],
            f"{joined} LEFT JOIN run_summaries s ON s.run_id = r.id",
        ),
        "trajectory": _select(
            ["r.public_id AS run_id", "e.public_id AS experiment_id", *recorded],
            f"{joined} JOIN trajectory_points p ON p.run_id = r.id",
        ),
        "experiment_summary": _select(
            [
                "e.public_id AS experiment_id, e.name AS name, e.tags AS tags, e.created_at AS created_at",
                "COUNT(r.id) AS runs",
                *(f"SUM(CASE WHEN r.status = '{status}' THEN 1 ELSE 0 END) AS {status}" for status in _STATUSES),
                "MIN(r.started_at) AS started_at, MAX(r.finished_at) AS finished_at",
                "SUM(r.step) AS steps, SUM(r.compute_seconds) AS compute_seconds",
                "MIN(s.loss) AS least_loss, MAX(s.loss) AS greatest_loss",
            ],
            "FROM experiments e LEFT JOIN runs r ON r.experiment_id = e.id "
            "LEFT JOIN run_summaries s ON s.run_id = r.id GROUP BY e.id",
        ),
    }


def _select(columns: Iterable[str], rest: str) -> str:
    return f"SELECT {', '.join(columns)} {rest}"
