"""Archives: an experiment as a Parquet file with a row for each run, readable by whatever reads Parquet.

A run's spec and summary stand in its row, its points and the snapshots of its factors as lists of structs. The file's
metadata hold the experiment and the versions that wrote it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from service.errors import FieldError, InvalidPayload
from service.exports.arrow_types import Array, DataType, RecordBatch, Schema
from service.exports.tables import VECTOR, parse_vectors
from workers.runs.metrics import METRICS, SUMMARY_METRICS, TRAJECTORY_COLUMNS

pc: Any = pyarrow.compute
FORMAT = "1"
"""Version of this layout."""

_TYPES = {"float": pa.float64(), "integer": pa.int64(), "vector": VECTOR, "text": pa.string()}
_TEXT, _BYTES, _INTEGER, _TIME = pa.string(), pa.binary(), pa.int64(), pa.timestamp("us", tz="UTC")
_RUN: Mapping[str, DataType] = {
    "public_id": _TEXT,
    "index": _INTEGER,
    "status": _TEXT,
    "outcome": _TEXT,
    "error": _TEXT,
    "step": _INTEGER,
    "created_at": _TIME,
    "started_at": _TIME,
    "finished_at": _TIME,
    "compute_seconds": pa.float64(),
    "engine": _TEXT,
    "device": _TEXT,
    "computed_with": _TEXT,
    "batch_key": _TEXT,
    "numbers": _INTEGER,
    "spec": _TEXT,
}
_SUMMARY: Mapping[str, DataType] = {
    "steps": _INTEGER,
    "time": pa.float64(),
    "determinant_sign_changed_at": _INTEGER,
    "drift_exceeded_at": _INTEGER,
    "first_step_below": _TEXT,
    **{name: _TYPES[kind] for name, kind in {**METRICS, **SUMMARY_METRICS}.items()},
}
_CHECKPOINT = {"step": _INTEGER, "state": _BYTES, "milestones": _BYTES, "rank_search": _BYTES, "phase_ends": _TEXT}
_SNAPSHOTS = {"step": _INTEGER, "factors": _BYTES}
_JSON = ("computed_with", "spec", "first_step_below", "phase_ends")
"""Columns of JSON."""

Values = Mapping[str, Any]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class ArchivedRun:
    """A run in an archive.

    Attributes:
        row: of the table of runs, with `spec` as JSON values.
        summary, checkpoint: None where it has none.
        snapshots: of its factors.
        points: pieces of its points, each with columns of the same names and widths, (points,) or (points, width).
    """

    row: Values
    summary: Values | None
    checkpoint: Values | None
    snapshots: Sequence[Values]
    points: Sequence[Mapping[str, Numbers]]


def archive_schema(metrics: Sequence[str], about: Mapping[str, Any]) -> Schema:
    """The table of an experiment's runs.

    Args:
        metrics: columns of their points, beside `step` and `time`.
        about: of the experiment and of versions, as JSON values.
    """
    points = {name: _TYPES[TRAJECTORY_COLUMNS[name]] for name in ("step", "time", *metrics)}
    fields = {
        **_RUN,
        "summary": _struct(_SUMMARY),
        "points": pa.list_(_struct(points)),
        "checkpoint": _struct(_CHECKPOINT),
        "factors": pa.list_(_struct(_SNAPSHOTS)),
    }
    metadata = {f"rankward.{name}": orjson.dumps(value) for name, value in {"archive": FORMAT, **about}.items()}
    return pa.schema([pa.field(name, type_) for name, type_ in fields.items()], metadata=metadata)


def point_columns(columns: Sequence[Sequence[Any]], schema: Schema) -> tuple[Numbers, Array]:
    """Internal run ids, and points as structs, from columns as the store reads them: run, then those of the schema."""
    fields = list(schema.field("points").type.value_type)
    arrays = [
        parse_vectors(values) if field.type == VECTOR else pa.array(values, field.type)
        for field, values in zip(fields, columns[1:], strict=True)
    ]
    return np.array(columns[0], dtype=np.int64), pa.StructArray.from_arrays(arrays, fields=fields)


def archive_batch(
    runs: Sequence[Values], points: Sequence[tuple[Numbers, Array]], run_ids: Sequence[int], schema: Schema
) -> RecordBatch:
    """Runs as rows.

    Args:
        runs: values of all columns but `points`.
        points: of these runs, by ascending internal id and step; see `point_columns`.
        run_ids: internal ids of the runs, ascending.
    """
    ids = np.concatenate([np.empty(0, dtype=np.int64), *(ids for ids, _ in points)])
    offsets = np.searchsorted(ids, [*run_ids, np.iinfo(np.int64).max]).astype(np.int32)
    type_ = schema.field("points").type
    values = pa.concat_arrays([pa.array([], type_.value_type), *(structs for _, structs in points)])
    columns = [
        pa.ListArray.from_arrays(pa.array(offsets), values, type=type_)
        if field.name == "points"
        else pa.array([_plain(run[field.name], field.type) for run in runs], field.type)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


class Archive:
    """An archive in a file.

    Raises:
        InvalidPayload: the file is no archive, or one of a later version.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError):
            raise _refused(
                "This is no Parquet file, or only part of one; `rankward archive` writes archives."
            ) from None
        metadata = self._file.schema_arrow.metadata or {}
        about = {key.decode().removeprefix("rankward."): value for key, value in metadata.items()}
        if "archive" not in about or "experiment" not in about:
            raise _refused("This Parquet file is no archive of an experiment; `rankward archive` writes archives.")
        self.about = {
            name: orjson.loads(about[name]) for name in ("archive", "versions", "experiment") if name in about
        }
        if self.about["archive"] != FORMAT:
            written = self.about.get("versions", {}).get("rankward")
            raise _refused(
                f"This archive was written by Rankward {written}, in a layout that this version cannot read."
            )

    @property
    def runs(self) -> int:
        """How many there are."""
        return self._file.metadata.num_rows

    def read(self) -> Iterator[ArchivedRun]:
        """All runs, a row group at a time; raises InvalidPayload where a column is missing or of another type."""
        for group in range(self._file.num_row_groups):
            try:
                batch = self._file.read_row_group(group).combine_chunks()
                points = batch.column("points").cast(self._file.schema_arrow.field("points").type)
                rows = batch.drop_columns(["points"]).to_pylist()
                yield from map(_run, rows, _points_of(points))
            except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
                raise _refused(f"This archive cannot be read: {error}.") from error


def _run(row: dict[str, Any], points: Sequence[Mapping[str, Numbers]]) -> ArchivedRun:
    return ArchivedRun(
        row={name: _parsed(name, row[name]) for name in _RUN},
        summary=None
        if row["summary"] is None
        else {k: _parsed(k, v) for k, v in row["summary"].items() if k in _SUMMARY},
        checkpoint=None if row["checkpoint"] is None else {k: _parsed(k, row["checkpoint"][k]) for k in _CHECKPOINT},
        snapshots=[{name: snapshot[name] for name in _SNAPSHOTS} for snapshot in row["factors"] or ()],
        points=points,
    )


def _points_of(column: Any) -> Iterator[list[Mapping[str, Numbers]]]:
    """The points of each row."""
    for chunk in column.chunks:
        offsets = chunk.offsets.to_numpy()
        values = chunk.values
        fields = {field.name: values.field(field.name) for field in values.type if field.name in TRAJECTORY_COLUMNS}
        for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            yield list(_uniform({name: field.slice(start, end - start) for name, field in fields.items()}, end - start))


def _uniform(columns: Mapping[str, Any], count: int) -> Iterator[dict[str, Numbers]]:
    """Points in pieces whose vectors have a width each, without the columns that have no value there."""
    vectors = {name: column for name, column in columns.items() if pa.types.is_list(column.type)}
    widths = np.stack(
        [pc.fill_null(pc.list_value_length(column), -1).to_numpy() for column in vectors.values()]
        or [np.zeros(count, dtype=np.int32)]
    )
    kinds, of_points = np.unique(widths, axis=1, return_inverse=True) if count else (widths, np.empty(0, dtype=int))
    for index, kind in enumerate(kinds.T):
        chosen = pa.array(np.flatnonzero(of_points.ravel() == index))
        piece = dict[str, Numbers]()
        for name, column in columns.items():
            taken = column.take(chosen)
            if taken.null_count == len(taken):
                continue
            if name not in vectors:
                piece[name] = taken.to_numpy(zero_copy_only=False)
            else:
                width = kind[list(vectors).index(name)]
                piece[name] = taken.flatten().to_numpy(zero_copy_only=False).reshape(len(taken), width)
        yield piece


def _struct(fields: Mapping[str, DataType]) -> DataType:
    return pa.struct([pa.field(name, type_) for name, type_ in fields.items()])


def _plain(value: Any, type_: DataType) -> Any:
    """A stored value as one of a column: JSON as text, vectors as floats."""
    if isinstance(value, Mapping) and pa.types.is_struct(type_):
        return {field.name: _plain(value[field.name], field.type) for field in type_}
    if type_ == VECTOR and value is not None:
        return [None if part is None else float(part) for part in value]
    if pa.types.is_string(type_) and value is not None and not isinstance(value, str):
        return orjson.dumps(value).decode()
    return value


def _parsed(name: str, value: Any) -> Any:
    return orjson.loads(value) if name in _JSON and value is not None else value


def _refused(detail: str) -> InvalidPayload:
    return InvalidPayload([FieldError("", detail)])
