"""Data of figures beside points: states of all runs of an experiment, specs and summaries of those that are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.store.among import among
from service.store.raw_rows import fetch_columns
from service.store.spec_parts import SPEC_COLUMNS, whole_specs
from service.store.tables import runs, summaries
from workers.runs.parts import WholeSpec

Row = Mapping[Any, Any]
_RUN_COLUMNS = (runs.c.id, *(runs.c[name] for name in ("public_id", "index", "status", "outcome", "step", "observed")))


@dataclass(frozen=True, eq=False)
class RunStates:
    """Which runs of an experiment have something to draw, in the order of submission.

    Attributes:
        ids: internal ids, (runs,).
        have_points: whether any point is recorded, (runs,).
        are_over: whether they have an outcome, (runs,).
    """

    ids: npt.NDArray[np.int64]
    have_points: npt.NDArray[np.bool_]
    are_over: npt.NDArray[np.bool_]


def read_states(connection: sa.Connection, experiment_id: int) -> RunStates:
    """The states of all runs of an experiment, without their specs."""
    of_experiment = runs.c.experiment_id == experiment_id
    first, last = connection.execute(
        sa.select(sa.func.min(runs.c.id), sa.func.max(runs.c.id)).where(of_experiment)
    ).one()
    of_run = sa.and_(summaries.c.run_id == runs.c.id, summaries.c.run_id.between(first, last))
    columns: list[sa.ColumnElement[Any]] = [runs.c.id, summaries.c.run_id.is_not(None), runs.c.outcome.is_not(None)]
    query = (
        sa.select(*columns)
        .outerjoin(summaries, of_run)
        .where(of_experiment, runs.c.id.between(first, last))
        .order_by(runs.c.id)
    )
    blocks = [np.array(block, dtype=np.int64) for block in fetch_columns(connection, query)]
    ids, have_points, are_over = np.concatenate([np.empty((3, 0), dtype=np.int64), *blocks], axis=1)
    return RunStates(ids, have_points.astype(bool), are_over.astype(bool))


def read_sorts(connection: sa.Connection, experiment_id: int) -> Sequence[WholeSpec]:
    """A spec of each sort of runs of an experiment that differ in more than their seeds."""
    seed = sa.literal('"seed":', sa.Text) + sa.cast(runs.c.seed, sa.Text)
    without_seed = sa.func.replace(sa.cast(runs.c.spec, sa.Text), seed, "")
    sorts = sa.select(sa.func.min(runs.c.id)).where(runs.c.experiment_id == experiment_id)
    firsts = sorts.group_by(without_seed, sa.cast(runs.c.parts, sa.Text))
    chosen = sa.select(*SPEC_COLUMNS).where(runs.c.id.in_(firsts)).order_by(runs.c.id)
    return whole_specs(connection, connection.execute(chosen).mappings())


def read_specs(connection: sa.Connection, run_ids: Sequence[int]) -> Sequence[Row]:
    """Specs and states of some runs, in the order of their internal ids given."""
    query = sa.select(*_RUN_COLUMNS, *SPEC_COLUMNS).where(among(connection, runs.c.id, run_ids))
    rows = connection.execute(query).mappings().all()
    specs = zip(rows, whole_specs(connection, rows), strict=True)
    by_id = {row["id"]: {**row, "spec": spec} for row, spec in specs}
    return [by_id[run_id] for run_id in run_ids]


def read_summaries(connection: sa.Connection, run_ids: Sequence[int], names: Sequence[str]) -> dict[int, Row]:
    """Columns of the summaries of runs, by internal run id."""
    query = sa.select(summaries.c.run_id, *(summaries.c[name] for name in names))
    of_runs = query.where(among(connection, summaries.c.run_id, run_ids))
    return {row["run_id"]: row for row in connection.execute(of_runs).mappings()}
