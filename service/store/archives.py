"""Rows of archives: what a run leaves in the tables beside its spec and its points, read and written back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from service.store.among import among
from service.store.tables import checkpoints, experiments, factor_snapshots, runs, summaries

RUN_COLUMNS = (
    *("public_id", "index", "status", "outcome", "error", "step", "created_at", "started_at", "finished_at"),
    *("compute_seconds", "engine", "device", "computed_with", "batch_key", "numbers"),
)
"""Columns of `runs` that do not follow from the spec; batches do not of a run in a later phase."""

SUMMARY_COLUMNS = tuple(column.name for column in summaries.c if column.name != "run_id")
CHECKPOINT_COLUMNS = tuple(column.name for column in checkpoints.c if column.name != "run_id")

Values = dict[str, Any]


@dataclass(frozen=True)
class Rest:
    """What is stored of a run beside its row, its summary and its points.

    Attributes:
        checkpoint: None before the first slice.
        snapshots: of its factors, by ascending step: `step` and `factors`.
    """

    checkpoint: Mapping[str, Any] | None = None
    snapshots: Sequence[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])


def read_rest(connection: sa.Connection, run_ids: Sequence[int]) -> dict[int, Rest]:
    """What is stored of some runs beside, by internal id."""
    of_runs = sa.select(checkpoints).where(among(connection, checkpoints.c.run_id, run_ids))
    kept = {row["run_id"]: row for row in connection.execute(of_runs).mappings()}
    snapshots: dict[int, list[Mapping[str, Any]]] = {run_id: [] for run_id in run_ids}
    query = sa.select(factor_snapshots).where(among(connection, factor_snapshots.c.run_id, run_ids))
    for row in connection.execute(query.order_by(factor_snapshots.c.run_id, factor_snapshots.c.step)).mappings():
        snapshots[row["run_id"]].append({"step": row["step"], "factors": row["factors"]})
    return {run_id: Rest(_without_id(kept.get(run_id)), snapshots[run_id]) for run_id in run_ids}


def taken_ids(connection: sa.Connection, public_ids: Sequence[str]) -> dict[str, bool]:
    """Those public ids that runs have, and whether these are still being stored or removed."""
    query = sa.select(runs.c.public_id, experiments.c.expires_at.is_not(None)).join(
        experiments, runs.c.experiment_id == experiments.c.id
    )
    rows = connection.execute(query.where(runs.c.public_id.in_(public_ids)))
    return {row.public_id: row[1] for row in rows}


def find_any(connection: sa.Connection, public_id: str) -> tuple[int, datetime | None] | None:
    """Internal id and expiry of an experiment, shown or not; None without one."""
    query = sa.select(experiments.c.id, experiments.c.expires_at).where(experiments.c.public_id == public_id)
    row = connection.execute(query).first()
    return None if row is None else (row.id, row.expires_at)


def internal_ids(connection: sa.Connection, experiment_id: int, indices: Sequence[int]) -> dict[int, int]:
    """Internal ids of an experiment's runs by their indices."""
    query = sa.select(runs.c.index, runs.c.id).where(runs.c.experiment_id == experiment_id, runs.c.index.in_(indices))
    return dict(map(tuple, connection.execute(query)))


def insert_rest(
    connection: sa.Connection, of_summaries: Sequence[Values], of_checkpoints: Sequence[Values], kept: Sequence[Values]
) -> None:
    """Write summaries, checkpoints and snapshots, each with its `run_id`."""
    for table, rows in ((summaries, of_summaries), (checkpoints, of_checkpoints), (factor_snapshots, kept)):
        if rows:
            connection.execute(sa.insert(table), rows)


def _without_id(row: Mapping[Any, Any] | None) -> Mapping[str, Any] | None:
    return None if row is None else {name: row[name] for name in CHECKPOINT_COLUMNS}
