"""Writers: record batches in, bytes of a format out, one batch at a time."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from service.exports.arrow_types import Array, RecordBatch, Schema
from service.exports.json_lines import on_one_line
from service.exports.texts import csv_texts, json_texts

pc: Any = pyarrow.compute
Batches = Iterable[RecordBatch]
_ROWS_AS_TEXT = 2**12


def write_csv(schema: Schema, batches: Batches) -> Iterator[bytes]:
    """A line of names, then a line for each row (RFC 4180); nothing stands where a value is absent."""
    yield _lines([csv_texts(pa.array([name])) for name in schema.names], ",", "")
    for batch in _short(batches):
        yield _lines([csv_texts(column) for column in batch.columns], ",", "")


def write_ndjson(schema: Schema, batches: Batches) -> Iterator[bytes]:
    """A JSON object for each row, each on its line; null where a value is absent."""
    heads = ["{" + _head(name) if index == 0 else "," + _head(name) for index, name in enumerate(schema.names)]
    for batch in _short(batches):
        parts: list[Array | str] = []
        for head, column in zip(heads, batch.columns, strict=True):
            parts += [head, pc.fill_null(json_texts(column), "null")]
        yield on_one_line(_lines([*parts, "}"], "", ""))


def write_arrow(schema: Schema, batches: Batches) -> Iterator[bytes]:
    """The Arrow streaming format."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def write_parquet(schema: Schema, batches: Batches) -> Iterator[bytes]:
    """A Parquet file with a row group for each batch; what it must know of all rows stands at its end."""
    sink = _Sink()
    texts: Any = [field.name for field in schema if pa.types.is_string(field.type)]
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="snappy", use_dictionary=texts) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


WRITERS: dict[str, Callable[[Schema, Batches], Iterator[bytes]]] = {
    "csv": write_csv,
    "ndjson": write_ndjson,
    "arrow": write_arrow,
    "parquet": write_parquet,
}
"""By the name of a format; JSON is written by those who know what its objects are."""


def _short(batches: Batches) -> Iterator[RecordBatch]:
    """The same rows, few at a time: texts take several times the room of what they spell."""
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS_AS_TEXT):
            yield batch.slice(start, _ROWS_AS_TEXT)


class _Sink(io.RawIOBase):
    """A file to write to, whose content is taken away as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: object, /) -> int:
        part = bytes(memoryview(data))  # pyright: ignore[reportArgumentType]
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def take(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _lines(columns: list[Array | str], separator: str, absent: str) -> bytes:
    """Rows as lines: the texts of each row joined, all rows in one run of bytes."""
    rows = pc.binary_join_element_wise(*columns, separator, null_handling="replace", null_replacement=absent)
    ended = pc.binary_join_element_wise(rows, "\r\n" if separator else "\n", "")
    return "".join(ended.to_pylist()).encode()


def _head(name: str) -> str:
    return orjson.dumps(name).decode() + ":"
