"""Runs in the store: reading them back with their summaries and factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.store.tables import checkpoints, experiments, runs, summaries

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class RunSelection:
    """Which runs to list: of one experiment, in one status, after a row already seen."""

    experiment_id: str | None = None
    status: str | None = None
    after_id: int | None = None


_SUMMARY = [column.label(f"summary_{column.name}") for column in summaries.c if column.name != "run_id"]
_RUNS = (
    sa.select(runs, experiments.c.public_id.label("experiment_public_id"), *_SUMMARY)
    .join(experiments, runs.c.experiment_id == experiments.c.id)
    .outerjoin(summaries, summaries.c.run_id == runs.c.id)
)


def find_run(connection: sa.Connection, public_id: str) -> Row | None:
    """A run's row with its experiment's id and its summary (columns `summary_*`)."""
    return connection.execute(_RUNS.where(runs.c.public_id == public_id)).mappings().first()


def list_runs(connection: sa.Connection, selection: RunSelection, limit: int) -> Sequence[Row]:
    """Runs in the order in which they were submitted."""
    query = _RUNS.order_by(runs.c.id).limit(limit)
    if selection.experiment_id is not None:
        query = query.where(experiments.c.public_id == selection.experiment_id)
    if selection.status is not None:
        query = query.where(runs.c.status == selection.status)
    if selection.after_id is not None:
        query = query.where(runs.c.id > selection.after_id)
    return connection.execute(query).mappings().all()


def searches_ranks(connection: sa.Connection, run_id: int) -> bool:
    """Whether a run has descended and its ranks are still being searched for."""
    found = sa.select(checkpoints.c.run_id).where(
        checkpoints.c.run_id == run_id, checkpoints.c.rank_search.is_not(None)
    )
    return connection.scalar(found) is not None


def read_state(connection: sa.Connection, run_id: int, precision: str) -> npt.NDArray[Any] | None:
    """The run's stored state (factors, then the optimiser's vectors), None before its first slice was stored."""
    state = connection.execute(sa.select(checkpoints.c.state).where(checkpoints.c.run_id == run_id)).scalar()
    return None if state is None else np.frombuffer(state, dtype=precision)
