"""Points as Arrow data: which values are absent and which are not numbers, thinned where that is asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from service.exports.arrow_types import Array, DataType, RecordBatch, Schema
from service.exports.tables import VECTOR, parse_vectors
from service.values.thinning import thin
from workers.runs.metrics import TRAJECTORY_COLUMNS

pc: Any = pyarrow.compute
_WHERE = ("run_id", "step", "time")
_WORTH_A_WRITE = 2**15
_TYPES = {"float": pa.float64(), "integer": pa.int64(), "vector": VECTOR, "text": pa.string()}


@dataclass(frozen=True)
class PointedRun:
    """What the table of points says of a run.

    Attributes:
        public_id: heads each of its rows.
        metrics: names of the columns that apply to it.
    """

    public_id: str
    metrics: frozenset[str]


def point_schema(names: Sequence[str]) -> Schema:
    """The table of points: the run's id, then the named columns."""
    fields = [pa.field(name, _TYPES[TRAJECTORY_COLUMNS[name]]) for name in names]
    return pa.schema([pa.field("run_id", pa.string()), *fields])


def empty_batch(names: Sequence[str]) -> RecordBatch:
    """No points."""
    schema = point_schema(names)
    return pa.record_batch([pa.nulls(0, field.type) for field in schema], schema=schema)


def point_batch(columns: Sequence[Sequence[Any]], runs: Mapping[int, PointedRun], schema: Schema) -> RecordBatch:
    """Points as the store reads them, as one batch.

    Args:
        columns: the run's internal id, then those of the schema; None where the database has NULL.
        runs: by internal id.
    """
    ids, positions = np.unique(np.array(columns[0]), return_inverse=True)
    known = [runs[int(internal_id)] for internal_id in ids]
    names = pa.array([run.public_id for run in known])
    arrays = [names.take(pa.array(positions))]
    for field, values in zip(list(schema)[1:], columns[1:], strict=True):
        applies = np.array([field.name in run.metrics for run in known])
        arrays.append(_column(values, field.type, applies, positions))
    return pa.record_batch(arrays, schema=schema)


def split_by_run(batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """One batch for each run, in order; only one run is held at a time."""
    held: list[RecordBatch] = []
    for batch in batches:
        ids = np.asarray(batch.column(0).dictionary_encode().indices)
        starts = [0, *(np.flatnonzero(np.diff(ids)) + 1).tolist()]
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
            part = batch.slice(start, end - start)
            if held and held[0].column(0)[0] != part.column(0)[0]:
                yield pa.concat_batches(held)
                held = []
            held.append(part)
    if held:
        yield pa.concat_batches(held)


def gathered(batches: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """Small batches joined into ones worth a write of their own."""
    held: list[RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.num_rows for part in held) >= _WORTH_A_WRITE:
            yield pa.concat_batches(held)
            held = []
    if held:
        yield pa.concat_batches(held)


def thin_run(run: RecordBatch, most: int) -> RecordBatch:
    """At most so many points of one run, see `thinning`."""
    measured = [column for name, column in zip(run.schema.names, run.columns, strict=True) if name not in _WHERE]
    kept = thin([_numbers(column) for column in measured if column.type != VECTOR], run.num_rows, most)
    return run if len(kept) == run.num_rows else run.take(pa.array(kept))


def _column(
    values: Sequence[Any], type_: DataType, applies: npt.NDArray[np.bool_], positions: npt.NDArray[np.int64]
) -> Array:
    if not applies.any():
        return pa.nulls(len(values), type_)
    column = parse_vectors(values) if type_ == VECTOR else pa.array(values, type_)
    if column.null_count and pa.types.is_floating(type_):
        column = pc.fill_null(column, float("nan"))
    if not applies.all():
        column = pc.if_else(pa.array(applies[positions]), column, pa.scalar(None, type_))
    return column


def _numbers(column: Array) -> npt.NDArray[np.float64]:
    return pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
