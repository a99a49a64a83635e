"""The experiments of a selection of runs, found first, and the internal ids between which their runs lie.

The runs of an experiment are stored one after the other, or nearly so. With these bounds a database reads a stretch of
its tables in order where it would pick rows one by one, or pass through the runs of all other experiments.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from service.queries.expressions import Every, Expression, fields_of
from service.store.among import among
from service.store.fields import RUN_HOME
from service.store.filters import Filter
from service.store.short_ids import full_id
from service.store.tables import SHOWN, experiments, runs

MOST_EXPERIMENTS = 1000
"""Beyond these an expression is left to the database as it is."""

_OF_EXPERIMENTS = (("experiment_id",), ("experiment",), ("tags",))


@dataclass(frozen=True)
class Span:
    """Internal ids of experiments, and of the first and the last of their runs."""

    experiment_ids: Sequence[int]
    first: int
    last: int

    def condition(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        """Of runs in the span."""
        of_experiments = among(connection, runs.c.experiment_id, self.experiment_ids)
        if len(self.experiment_ids) == 1:
            of_experiments = runs.c.experiment_id == self.experiment_ids[0]
        return sa.and_(of_experiments, runs.c.id.between(self.first, self.last))


def span_of(connection: sa.Connection, experiment_id: str | None, where: Expression | None) -> Span | None:
    """The span of a selection; None where it does not name experiments, or too many.

    Raises:
        AmbiguousId: a short id of several experiments.
    """
    conditions = [Filter(RUN_HOME, connection.dialect.name).condition(part) for part in _of_experiments(where)]
    if experiment_id is not None:
        conditions.append(experiments.c.public_id == full_id(connection, "experiment", experiment_id))
    if not conditions:
        return None
    end = sa.select(runs.c.id).where(runs.c.experiment_id == experiments.c.id).limit(1).correlate(experiments)
    first, last = (end.order_by(order).scalar_subquery() for order in (runs.c.id.asc(), runs.c.id.desc()))
    query = sa.select(experiments.c.id, first, last).where(SHOWN, *conditions).limit(MOST_EXPERIMENTS + 1)
    spans = [span for span in map(tuple, connection.execute(query)) if span[1] is not None]
    if len(spans) > MOST_EXPERIMENTS:
        return None
    ids, firsts, lasts = zip(*spans, strict=True) if spans else ((), (0,), (0,))
    return Span(ids, min(firsts), max(lasts))


def _of_experiments(where: Expression | None) -> Iterator[Expression]:
    """The parts joined by AND that are about experiments alone."""
    parts = where.parts if isinstance(where, Every) else () if where is None else (where,)
    return (part for part in parts if all(field.path[:1] in _OF_EXPERIMENTS for field in fields_of(part)))
