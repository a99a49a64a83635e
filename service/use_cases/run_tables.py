"""Runs as a table: which columns it has, and its rows as batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from service.exports.arrow_types import RecordBatch, Schema
from service.queries.catalogues import RUNS
from service.queries.fields import Field, Kind
from service.use_cases.run_objects import look_up, tagged_run
from workers.runs.metrics import METRICS, SUMMARY_METRICS

_FIRST = ("id", "experiment_id", "index", "status", "outcome", "step")
_SPEC = (
    "problem.kind",
    "model.kind",
    "model.depth",
    "init.kind",
    "init.std",
    "init.std_of",
    "init.scale",
    "init.balanced",
    "init.determinant",
    "optimizer.kind",
    "optimizer.learning_rate",
    "stop.max_steps",
    "stop.loss_below",
    "loss",
    "precision",
    "seed",
)
_HAPPENED = ("determinant_sign_changed_at", "drift_exceeded_at", "first_step_below")
_SUMMARY = ("steps", "time", *_HAPPENED, *METRICS, *SUMMARY_METRICS)
_LAST = ("engine", "device", "steps_per_second", "created_at", "started_at", "finished_at", "error", "tags", "spec")
COLUMNS = (*_FIRST, *_SPEC, *(f"summary.{name}" for name in _SUMMARY), *_LAST)
"""Where `fields` does not say: the same for every selection. A name that begins with no key of a run is of its spec."""

_ROWS_PER_BATCH = 1000


def run_batches(rows: Iterable[Mapping[Any, Any]], fields: Sequence[Field]) -> Iterator[RecordBatch]:
    """Rows of runs as batches of a column for each field; what is absent is null."""
    import pyarrow as pa

    from service.exports.tables import arrow_column

    schema, left = run_schema(fields), iter(rows)
    while chunk := [tagged_run(row) for row in islice(left, _ROWS_PER_BATCH)]:
        values = ([look_up(run, field.path)[1] for run in chunk] for field in fields)
        yield pa.record_batch([arrow_column(v, one.type) for v, one in zip(values, schema, strict=True)], schema=schema)


def run_schema(fields: Sequence[Field]) -> Schema:
    """The columns of fields, headed by their names as they were asked for."""
    import pyarrow as pa

    from service.exports.tables import arrow_type

    return pa.schema([pa.field(field.name, arrow_type(field.kind, _is_vector(field))) for field in fields])


def default_fields() -> list[Field]:
    """The fields of COLUMNS."""
    return [RUNS.find(name) for name in COLUMNS]


def _is_vector(field: Field) -> bool:
    return field.kind is Kind.LIST and field.path[0] == "summary"
