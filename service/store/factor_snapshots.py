"""Snapshots of factors in the store, of the steps that `record.factors` names."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.store.inserts import insert_columns
from service.store.tables import factor_snapshots as snapshots
from workers.results import KeptFactors

MOST_ROWS, MOST_BYTES = 5000, 16 * 2**20
"""Removed in a transaction, in which other writers wait; one snapshot at least."""


def insert_snapshots(connection: sa.Connection, run_ids: Mapping[int, int], kept: KeptFactors | None) -> None:
    """Store snapshots; those that are stored already are not changed.

    Args:
        run_ids: internal run ids by batch member; snapshots of other members are dropped.
        kept: those of a slice.
    """
    if kept is None:
        return
    chosen = np.flatnonzero(np.isin(kept.member, list(run_ids)))
    columns = {
        "run_id": [run_ids[member] for member in kept.member[chosen].tolist()],
        "step": kept.step[chosen].tolist(),
        "factors": [factors.tobytes() for factors in kept.factors[chosen]],
    }
    insert_columns(connection, snapshots, columns)


def read_snapshot(connection: sa.Connection, run_id: int, step: int, precision: str) -> npt.NDArray[Any] | None:
    """The factors of a run at a step, (trained numbers,); None if they were not kept."""
    query = sa.select(snapshots.c.factors).where(snapshots.c.run_id == run_id, snapshots.c.step == step)
    stored = connection.scalar(query)
    return None if stored is None else np.frombuffer(stored, dtype=precision)


def list_steps(connection: sa.Connection, run_id: int) -> Sequence[int]:
    """The steps of a run's snapshots, ascending."""
    query = sa.select(snapshots.c.step).where(snapshots.c.run_id == run_id)
    return connection.scalars(query.order_by(snapshots.c.step)).all()


def nearest_steps(connection: sa.Connection, run_id: int, step: int) -> list[int]:
    """The last step before `step` and the first one after it of which there is a snapshot, as far as there are."""
    of_run = snapshots.c.run_id == run_id
    before = sa.select(sa.func.max(snapshots.c.step)).where(of_run, snapshots.c.step < step)
    after = sa.select(sa.func.min(snapshots.c.step)).where(of_run, snapshots.c.step > step)
    return [found for query in (before, after) if (found := connection.scalar(query)) is not None]


def remove_snapshots(connection: sa.Connection, run_ids: Sequence[int]) -> bool:
    """Remove the first snapshots of runs, no more than are removed at once; returns whether all are gone."""
    size = sa.func.length(snapshots.c.factors)
    of_runs = sa.select(snapshots.c.run_id, snapshots.c.step, size).where(snapshots.c.run_id.in_(run_ids))
    found = connection.execute(of_runs.order_by(snapshots.c.run_id, snapshots.c.step).limit(MOST_ROWS + 1)).all()
    fitting = sum(total <= MOST_BYTES for total in accumulate(bytes for _, _, bytes in found))
    removed = found[: min(max(fitting, 1), MOST_ROWS)]
    if removed:
        run_id, step, _ = removed[-1]
        earlier = sa.or_(snapshots.c.run_id < run_id, sa.and_(snapshots.c.run_id == run_id, snapshots.c.step <= step))
        connection.execute(sa.delete(snapshots).where(snapshots.c.run_id.in_(run_ids), earlier))
    return len(removed) == len(found)
