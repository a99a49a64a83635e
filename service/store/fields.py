"""Where the fields of a query are stored: in columns, or at paths in JSON columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import partial
from itertools import takewhile
from typing import Any

import sqlalchemy as sa

from service.queries.catalogues import EXPERIMENTS, RUNS, Catalogue, spell_path
from service.queries.fields import NUMERIC, Field, Kind, Path
from service.store.json_sql import json_exists, json_text, json_value
from service.store.naturals import json_natural
from service.store.spec_columns import NAMED_COLUMNS
from service.store.spec_parts import part_of_run
from service.store.tables import experiments, runs, summaries
from service.values.statuses import BEST_STATUS, RUN_STATUSES, status_cases
from workers.runs.parts import pointer_of

Column = sa.ColumnElement[Any]


def may_be_long(field: Field) -> bool:
    """Whether a field is a list or a free text, or stands in a list; numbers and words are never stored apart."""
    in_list = any(isinstance(step, int) for step in field.path)
    kinds = field.values.kinds - (frozenset() if field.values.words is None else {Kind.TEXT})
    return in_list or not kinds <= NUMERIC | {Kind.BOOLEAN, Kind.OBJECT}


@dataclass(frozen=True)
class Home:
    """The stored fields of a resource.

    Attributes:
        columns: typed columns by path, for fields that people filter on.
        documents: JSON columns by path; each holds all fields below its path.
        places: of documents whose long values are stored apart, by path, the column that says where they belong.
        lists: columns that are NULL where a document has a list at their path, by path, and where the list counts.
    """

    columns: Mapping[Path, Column]
    documents: Mapping[Path, Column]
    places: Mapping[Path, Column] = dataclass_field(default_factory=dict[Path, Column])
    lists: Mapping[Path, Column] = dataclass_field(default_factory=dict[Path, Column])

    def value(self, field: Field, kind: Kind, dialect: str) -> Column:
        """A field's value as one of its kinds, NULL for a value of another kind."""
        column = self.columns.get(field.path)
        if column is not None:
            return column
        read = partial(json_value, kind=kind) if Kind.NATURAL not in field.values.kinds else json_natural
        values = [read(document, path, dialect=dialect) for document, path in self._sources(field, dialect)]
        return values[0] if len(values) == 1 else sa.func.coalesce(*values, type_=values[0].type)

    def exists(self, field: Field, dialect: str) -> Column:
        """Whether there is a value."""
        column = self.columns.get(field.path)
        if column is not None and (apart := self._objects(field, dialect)):
            return sa.or_(column.is_not(None), *apart)
        if column is not None:
            return column.is_not(None)
        if field.values.kinds <= NUMERIC:  # JSON spells NaN as a text, which does not count as a value
            return self.value(field, Kind.NUMBER, dialect).is_not(None)
        return sa.or_(*(json_exists(document, path, dialect) for document, path in self._sources(field, dialect)))

    def is_never_null(self, field: Field) -> bool:
        """Whether every row has a value, as required columns and counts do; a run may lack its whole summary."""
        column = self.columns.get(field.path)
        if isinstance(column, sa.Column):
            return not column.nullable and column.table is not summaries
        return isinstance(column, sa.ScalarSelect)

    def json(self, field: Field, dialect: str) -> Column:
        """JSON of a field's value of any kind, in a document; NULL where it is missing."""
        texts = [json_text(document, path, dialect) for document, path in self._sources(field, dialect)]
        return texts[0] if len(texts) == 1 else sa.func.coalesce(*texts, type_=sa.Text)

    def _objects(self, field: Field, dialect: str) -> list[Column]:
        """Whether a document has a list or an object at the path of a column, which is NULL there."""
        if (counts := self.lists.get(field.path)) is not None:
            return [
                counts & json_exists(document, (*path, 0), dialect) for document, path in self._sources(field, dialect)
            ]
        if field.values.kinds > {Kind.OBJECT}:
            return [json_exists(document, (*path, "kind"), dialect) for document, path in self._sources(field, dialect)]
        return []

    def _sources(self, field: Field, dialect: str) -> Iterator[tuple[Column, Path]]:
        """JSON in which a field may stand, and its path there: its document, and the long value that it is or is in."""
        for length in range(len(field.path), 0, -1):
            if (document := self.documents.get(field.path[:length])) is not None:
                rest = field.path[length:]
                yield document, rest
                places = self.places.get(field.path[:length])
                if places is not None and rest and may_be_long(field):
                    names = tuple(takewhile(lambda step: isinstance(step, str), rest))
                    digest = json_value(places, (pointer_of(map(str, names)),), Kind.TEXT, dialect)
                    yield part_of_run(digest), rest[len(names) :]
                return
        raise KeyError(field.path)

    def holds(self, path: Path) -> bool:
        """Whether a column or a document holds the field at a path."""
        return path in self.columns or any(path[:length] in self.documents for length in range(1, len(path) + 1))


def _named(table: sa.Table, catalogue: Catalogue) -> Home:
    """The home of the fields of a catalogue whose names are columns of a table."""
    named = {name: table.c[name] for name in catalogue.names() if name in table.c}
    return Home(
        columns={(name,): column for name, column in named.items() if not isinstance(column.type, sa.JSON)},
        documents={(name,): column for name, column in named.items() if isinstance(column.type, sa.JSON)},
    )


_SPEED = runs.c.step / sa.func.nullif(runs.c.compute_seconds, 0.0, type_=sa.Double)
_SUMMARIES = [column for column in summaries.c if column.name != "run_id"]
_OF_RUNS = _named(runs, RUNS)

RUN_HOME = Home(
    columns={
        **_OF_RUNS.columns,
        ("id",): runs.c.public_id,
        ("experiment_id",): experiments.c.public_id,
        ("steps_per_second",): sa.type_coerce(_SPEED, sa.Double),
        ("experiment",): experiments.c.id,
        ("experiment", "id"): experiments.c.public_id,
        **{("experiment", name): experiments.c[name] for name in ("name", "priority", "created_at")},
        **{("spec", *path.split(".")): runs.c[column.name] for path, column in NAMED_COLUMNS.items()},
        ("summary",): summaries.c.run_id,
        **{("summary", column.name): column for column in _SUMMARIES if not isinstance(column.type, sa.JSON)},
    },
    documents={
        **_OF_RUNS.documents,
        ("tags",): experiments.c.tags,
        ("experiment", "tags"): experiments.c.tags,
        **{("summary", column.name): column for column in _SUMMARIES if isinstance(column.type, sa.JSON)},
    },
    places={("spec",): runs.c.parts},
    lists={("spec", "init", "std"): runs.c.init_kind != "none"},
)

_OF_EXPERIMENT = sa.select(sa.func.count()).where(runs.c.experiment_id == experiments.c.id)


def _count(*statuses: str) -> Column:
    return _OF_EXPERIMENT.where(runs.c.status.in_(statuses)).correlate(experiments).scalar_subquery()


def _has(*statuses: str) -> Column:
    such = sa.select(runs.c.id).where(runs.c.experiment_id == experiments.c.id, runs.c.status.in_(statuses))
    return such.correlate(experiments).exists()


_OF_EXPERIMENTS = _named(experiments, EXPERIMENTS)
_STATUS = sa.case(*status_cases(_has), else_=BEST_STATUS)

EXPERIMENT_HOME = Home(
    columns={
        **_OF_EXPERIMENTS.columns,
        ("id",): experiments.c.public_id,
        ("status",): sa.type_coerce(_STATUS, sa.Text),
        ("runs",): experiments.c.id,
        ("runs", "total"): _OF_EXPERIMENT.correlate(experiments).scalar_subquery(),
        **{("runs", status): _count(status) for status in RUN_STATUSES},
    },
    documents=_OF_EXPERIMENTS.documents,
)


def check_home(home: Home, catalogue: Catalogue) -> None:
    """Raise ImportError unless a home holds all fields of a catalogue, and no other."""
    paths = {path for path, _ in catalogue.nodes()}
    for path in paths:
        if not home.holds(path):
            raise ImportError(f"There is no column for the field {spell_path(path)} of {catalogue.resource}.")
    for path in {*home.columns, *home.documents} - paths:
        raise ImportError(f"There is a column for {spell_path(path)}, which is no field of {catalogue.resource}.")


check_home(RUN_HOME, RUNS)
check_home(EXPERIMENT_HOME, EXPERIMENTS)


def kind_to_sort(field: Field) -> Kind:
    """The kind by which a field that may have several is sorted: numbers before texts."""
    if Kind.NATURAL in field.values.kinds:
        return Kind.INTEGER
    for kind in (Kind.NUMBER, Kind.INTEGER, Kind.TEXT, Kind.TIME):
        if kind in field.values.kinds:
            return kind
    return Kind.BOOLEAN
