"""How much an experiment holds, counted, and about how much room that takes."""

from dataclasses import dataclass

import sqlalchemy as sa

from service.store.tables import checkpoints, experiments, factor_snapshots, runs, trajectory_points

BYTES_PER_RUN, BYTES_PER_POINT = 900, 230
"""Of a run's rows without its spec and its state, and of a point with 15 columns, indexes included: measured for a
million runs and five million points on PostgreSQL (benchmarks/README.md)."""


@dataclass(frozen=True)
class Size:
    """What an experiment holds."""

    runs: int
    points: int
    bytes: int


def size_of(connection: sa.Connection, public_id: str) -> Size:
    """The size of an experiment."""
    of_it = (
        runs.c.experiment_id
        == sa.select(experiments.c.id).where(experiments.c.public_id == public_id).scalar_subquery()
    )
    spec_bytes = sa.func.coalesce(sa.func.sum(sa.func.length(sa.cast(runs.c.spec, sa.Text))), 0)
    query = sa.select(sa.func.count(), spec_bytes, sa.func.min(runs.c.id), sa.func.max(runs.c.id)).where(of_it)
    count, of_specs, first, last = connection.execute(query).one()
    if not count:
        return Size(0, 0, 0)
    points = _total(connection, sa.func.count(), trajectory_points, of_it, first, last)
    states = _total(connection, sa.func.sum(sa.func.length(checkpoints.c.state)), checkpoints, of_it, first, last)
    kept = sa.func.sum(sa.func.length(factor_snapshots.c.factors))
    snapshots = _total(connection, kept, factor_snapshots, of_it, first, last)
    return Size(count, points, count * BYTES_PER_RUN + int(of_specs) + points * BYTES_PER_POINT + states + snapshots)


def _total(
    connection: sa.Connection,
    value: sa.ColumnElement[int],
    table: sa.Table,
    of_it: sa.ColumnElement[bool],
    first: int,
    last: int,
) -> int:
    """A sum over the rows of an experiment's runs."""
    ids = sa.select(runs.c.id).where(of_it)
    query = sa.select(value).select_from(table).where(table.c.run_id.between(first, last), table.c.run_id.in_(ids))
    return int(connection.scalar(query) or 0)
