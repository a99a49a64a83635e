"""Conversion of points for a database: values for SQLite's driver, and JSON of vectors.

Many rows are converted at once, because a Python call per number would cost more than the database.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from service.values.numbers import spell_all
from workers.runs.metrics import TRAJECTORY_COLUMNS, ColumnKind

ROWS_AT_ONCE = 2048
"""Rows whose values exist at the same time; those of all points would not stay in a core's cache."""

Array = npt.NDArray[Any]


def value_rows(columns: Mapping[str, Array]) -> Iterator[tuple[Any, ...]]:
    """Rows of the columns, by the names of a point's columns; NaN becomes NULL on every database."""
    kinds: Mapping[str, ColumnKind] = {"run_id": "integer", **TRAJECTORY_COLUMNS}

    def block(start: int) -> Iterator[tuple[Any, ...]]:
        chosen = slice(start, start + ROWS_AT_ONCE)
        return zip(*(to_values(column[chosen], kinds[name]) for name, column in columns.items()), strict=True)

    # No Python is run for a row; zip makes a tuple anew only while somebody has the last one.
    return chain.from_iterable(map(block, range(0, len(columns["run_id"]), ROWS_AT_ONCE)))


def to_values(column: Array, kind: ColumnKind) -> list[Any]:
    """A column as Python values: numbers, None for NaN, and JSON for vectors."""
    if kind == "vector":
        return b"\n".join(vector_texts(column)).decode().split("\n")
    missing = np.flatnonzero(np.isnan(column)).tolist()
    values = _without_fraction(column).tolist() if kind == "integer" else column.tolist()
    for index in missing:
        values[index] = None
    return values


def vector_texts(column: Array) -> list[bytes]:
    """JSON of the rows of an array (points, width), at least one; floats as the shortest texts of their 64 bits."""
    exact = column.astype(np.float64) if column.dtype.kind == "f" else column
    dumped = orjson.dumps(np.ascontiguousarray(exact), option=orjson.OPT_SERIALIZE_NUMPY)
    texts = dumped[1:-1].replace(b"],[", b"]\n[").split(b"\n")
    finite = np.isfinite(column)
    if not finite.all():
        for index in np.flatnonzero(~finite.all(axis=1)).tolist():
            texts[index] = orjson.dumps(spell_all(column[index].tolist()))
    return texts


def _without_fraction(column: Array) -> Array:
    return np.nan_to_num(column).astype(np.int64) if column.dtype.kind == "f" else column
