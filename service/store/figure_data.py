"""Data of figures beside points: specs and summaries of an experiment's runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from service.store.spec_parts import whole_specs
from service.store.tables import runs, summaries

Row = Mapping[Any, Any]
_RUN_COLUMNS = ("id", "public_id", "index", "status", "outcome", "step", "observed", "experiment_id", "spec", "parts")


def read_specs(connection: sa.Connection, experiment_id: int) -> Sequence[Row]:
    """Specs and states of all runs of an experiment, by index; `has_points`: whether any point is recorded."""
    query = (
        sa.select(*(runs.c[name] for name in _RUN_COLUMNS), summaries.c.run_id.is_not(None).label("has_points"))
        .outerjoin(summaries, summaries.c.run_id == runs.c.id)
        .where(runs.c.experiment_id == experiment_id)
        .order_by(runs.c.index)
    )
    rows = connection.execute(query).mappings().all()
    return [{**row, "spec": spec} for row, spec in zip(rows, whole_specs(connection, rows), strict=True)]


def read_summaries(connection: sa.Connection, experiment_id: int, names: Sequence[str]) -> dict[int, Row]:
    """Columns of the summaries of an experiment's runs, by internal run id."""
    query = (
        sa.select(summaries.c.run_id, *(summaries.c[name] for name in names))
        .join(runs, runs.c.id == summaries.c.run_id)
        .where(runs.c.experiment_id == experiment_id)
    )
    return {row["run_id"]: row for row in connection.execute(query).mappings()}
