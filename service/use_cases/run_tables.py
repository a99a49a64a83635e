"""Runs as a table: its columns, and its rows in batches."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from service.exports.arrow_types import RecordBatch, Schema
from service.queries.catalogues import RUNS
from service.queries.fields import Field, Kind
from service.store.run_rows import RunRow
from service.store.spec_columns import NAMED_COLUMNS
from service.use_cases.run_objects import look_up, tagged_run

_SCALARS = [name for name in RUNS.names() if not RUNS.names(name) and name != "tags"]
_AFTER_STEP = _SCALARS.index("step") + 1
COLUMNS = (
    *_SCALARS[:_AFTER_STEP],
    *NAMED_COLUMNS,
    *(f"summary.{name}" for name in RUNS.names("summary")),
    *_SCALARS[_AFTER_STEP:],
    "computed_with",
    "tags",
    "spec",
)
"""Default columns, equal for all selections; names without a key of a run at their start belong to its spec."""

_ROWS_PER_BATCH = 1000


def run_batches(rows: Iterable[RunRow], fields: Sequence[Field], schema: Schema) -> Iterator[RecordBatch]:
    """Batches of runs with a column of a schema for each field; missing values are null."""
    import pyarrow as pa

    from service.exports.tables import arrow_column

    remaining = iter(rows)
    while chunk := [tagged_run(row) for row in islice(remaining, _ROWS_PER_BATCH)]:
        values = ([look_up(run, field.path)[1] for run in chunk] for field in fields)
        columns = [arrow_column(column, field.type) for column, field in zip(values, schema, strict=True)]
        yield pa.record_batch(columns, schema=schema)


def run_schema(fields: Sequence[Field], long: Collection[Field] = ()) -> Schema:
    """The columns of fields, headed by their names as written in the query.

    Args:
        long: fields with numbers beyond 64 bits, whose columns hold digits as texts.
    """
    import pyarrow as pa

    from service.exports.tables import arrow_type

    kinds = [Kind.TEXT if field in long else field.kind for field in fields]
    types = [arrow_type(kind, _is_vector(field)) for kind, field in zip(kinds, fields, strict=True)]
    return pa.schema([pa.field(field.name, type_) for field, type_ in zip(fields, types, strict=True)])


def default_fields() -> list[Field]:
    """The fields of COLUMNS."""
    return [RUNS.find(name) for name in COLUMNS]


def _is_vector(field: Field) -> bool:
    return field.kind is Kind.LIST and field.path[0] == "summary"
