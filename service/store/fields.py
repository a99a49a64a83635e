"""Which column, or which place in a JSON column, holds a field of a query."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.queries.fields import NUMERIC, Field, Kind, Path
from service.store.json_sql import json_exists, json_value
from service.store.tables import RUN_STATUSES, UNFINISHED, experiments, runs, summaries

Column = sa.ColumnElement[Any]


@dataclass(frozen=True)
class Home:
    """Where the fields of a resource are held.

    Attributes:
        columns: by path; fields that people filter on have typed columns.
        documents: JSON columns by the path below which they hold everything.
    """

    columns: Mapping[Path, Column]
    documents: Mapping[Path, Column]

    def value(self, field: Field, kind: Kind, dialect: str) -> Column:
        """A field's value as one of its kinds, NULL where it has none of that kind."""
        column = self.columns.get(field.path)
        if column is not None:
            return column
        document, rest = self._document(field.path)
        return json_value(document, rest, kind, dialect)

    def exists(self, field: Field, dialect: str) -> Column:
        """Whether there is a value."""
        column = self.columns.get(field.path)
        if column is not None:
            return column.is_not(None)
        if field.values.kinds <= NUMERIC:  # a number that is none is spelled out in JSON
            return self.value(field, Kind.NUMBER, dialect).is_not(None)
        document, rest = self._document(field.path)
        return json_exists(document, rest, dialect)

    def _document(self, path: Path) -> tuple[Column, Path]:
        for length in range(len(path), 0, -1):
            if (found := self.documents.get(path[:length])) is not None:
                return found, path[length:]
        raise KeyError(path)


_SPEC_COLUMNS = {
    ("problem", "kind"): runs.c.problem_kind,
    ("model", "kind"): runs.c.model_kind,
    ("model", "depth"): runs.c.depth,
    ("init", "kind"): runs.c.init_kind,
    ("init", "std"): runs.c.init_std,
    ("init", "std_of"): runs.c.init_std_of,
    ("init", "scale"): runs.c.init_scale,
    ("init", "balanced"): runs.c.balanced,
    ("init", "determinant"): runs.c.determinant,
    ("optimizer", "kind"): runs.c.optimizer_kind,
    ("optimizer", "learning_rate"): runs.c.learning_rate,
    ("stop", "max_steps"): runs.c.max_steps,
    ("stop", "loss_below"): runs.c.loss_below,
    ("loss",): runs.c.loss_kind,
    ("precision",): runs.c.precision,
    ("seed",): runs.c.seed,
}
_OWN = ("index", "status", "outcome", "step", "engine", "device", "created_at", "started_at", "finished_at", "error")
_SPEED = runs.c.step / sa.func.nullif(runs.c.compute_seconds, 0.0, type_=sa.Double)

RUN_HOME = Home(
    columns={
        ("id",): runs.c.public_id,
        ("experiment_id",): experiments.c.public_id,
        ("steps_per_second",): sa.type_coerce(_SPEED, sa.Double),
        **{(name,): runs.c[name] for name in _OWN},
        **{("spec", *path): column for path, column in _SPEC_COLUMNS.items()},
        ("summary",): summaries.c.run_id,
        **{("summary", column.name): column for column in summaries.c if not isinstance(column.type, sa.JSON)},
    },
    documents={
        ("spec",): runs.c.spec,
        ("tags",): experiments.c.tags,
        **{("summary", column.name): column for column in summaries.c if isinstance(column.type, sa.JSON)},
    },
)

_OF_EXPERIMENT = sa.select(sa.func.count()).where(runs.c.experiment_id == experiments.c.id)


def _count(*statuses: str) -> Column:
    return _OF_EXPERIMENT.where(runs.c.status.in_(statuses)).correlate(experiments).scalar_subquery()


def _has(*statuses: str) -> Column:
    found = sa.select(runs.c.id).where(runs.c.experiment_id == experiments.c.id, runs.c.status.in_(statuses))
    return found.correlate(experiments).exists()


_OVER = [status for status in RUN_STATUSES if status not in UNFINISHED]
_STATUS = sa.case(
    (_has("running"), "running"),
    (sa.and_(_has("queued"), _has(*_OVER)), "running"),
    (_has("queued"), "queued"),
    (_has("failed"), "failed"),
    (_has("cancelled"), "cancelled"),
    else_="succeeded",
)

EXPERIMENT_HOME = Home(
    columns={
        ("id",): experiments.c.public_id,
        ("name",): experiments.c.name,
        ("created_at",): experiments.c.created_at,
        ("status",): sa.type_coerce(_STATUS, sa.Text),
        ("runs",): experiments.c.id,
        ("runs", "total"): _OF_EXPERIMENT.correlate(experiments).scalar_subquery(),
        **{("runs", status): _count(status) for status in RUN_STATUSES},
    },
    documents={("tags",): experiments.c.tags},
)


def kind_to_sort(field: Field) -> Kind:
    """The kind by which a field that may have several is sorted: numbers before texts."""
    for kind in (Kind.NUMBER, Kind.INTEGER, Kind.TEXT, Kind.TIME):
        if kind in field.values.kinds:
            return kind
    return Kind.BOOLEAN
