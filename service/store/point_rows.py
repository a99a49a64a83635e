"""Conversion of points for a database: values for SQLite's driver, lines of text for PostgreSQL's COPY.

Complete columns are converted at once, because a Python call per number would cost more than the database.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from service.values.numbers import NAN, spell_all, word_of
from workers.runs.metrics import TRAJECTORY_COLUMNS, ColumnKind

COPY_NULL = "null"
"""NULL in a line of text: orjson's text for NaN."""

LINES_AT_ONCE = 1024

Array = npt.NDArray[Any]


def value_rows(run_ids: Array, columns: Mapping[str, Array]) -> Iterator[tuple[Any, ...]]:
    """Rows of run id and columns; NaN becomes NULL on every database."""
    values = (to_values(column, TRAJECTORY_COLUMNS[name]) for name, column in columns.items())
    return zip(run_ids.tolist(), *values, strict=True)


def copy_lines(run_ids: Array, columns: Mapping[str, Array]) -> Iterator[str]:
    """The same rows as text for COPY, in blocks: the server reads a block while the next is being made."""
    for start in range(0, len(run_ids), LINES_AT_ONCE):
        block = slice(start, start + LINES_AT_ONCE)
        texts = (_to_texts(column[block], TRAJECTORY_COLUMNS[name]) for name, column in columns.items())
        lines = map("\t".join, zip(_number_texts(run_ids[block]), *texts, strict=True))
        yield "\n".join((*lines, ""))


def to_values(column: Array, kind: ColumnKind) -> list[Any]:
    """A column as Python values: numbers, None for NaN, and JSON for vectors."""
    if kind == "vector":
        return _vector_texts(column)
    missing = np.flatnonzero(np.isnan(column)).tolist()
    values = _without_fraction(column).tolist() if kind == "integer" else column.tolist()
    for index in missing:
        values[index] = None
    return values


def _to_texts(column: Array, kind: ColumnKind) -> list[str]:
    if kind == "vector":
        return _vector_texts(column)
    texts = _number_texts(_without_fraction(column) if kind == "integer" else column)
    for index in np.flatnonzero(~np.isfinite(column)).tolist():
        word = word_of(column[index])
        texts[index] = COPY_NULL if word == NAN else word
    return texts


def _number_texts(column: Array) -> list[str]:
    return _dump(column)[1:-1].split(",")


def _vector_texts(column: Array) -> list[str]:
    """JSON texts of the rows of an array (points, width)."""
    texts = [f"[{row}]" for row in _dump(column)[2:-2].split("],[")]
    for index in np.flatnonzero(~np.isfinite(column).all(axis=1)).tolist():
        texts[index] = orjson.dumps(spell_all(column[index].tolist())).decode()
    return texts


def _dump(array: Array) -> str:
    """JSON of an array with at least one row; each float is the shortest text that restores its 64 bits."""
    exact = array.astype(np.float64) if array.dtype.kind == "f" else array
    return orjson.dumps(np.ascontiguousarray(exact), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _without_fraction(column: Array) -> Array:
    return np.nan_to_num(column).astype(np.int64) if column.dtype.kind == "f" else column
