"""Rows in the binary format of PostgreSQL's COPY, assembled by numpy from whole columns.

The format is described at https://www.postgresql.org/docs/current/sql-copy.html: a row is the number of its values,
then the length and the bytes of each; NULL has the length -1 and no bytes. Rows that are NULL in the same columns thus
have their numbers at the same places, and the bytes of many are a structured array.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from service.store.point_rows import vector_texts

Array = npt.NDArray[Any]

ROWS_AT_ONCE = 2048
"""Rows of a block, of half a megabyte: it stays in a core's cache while its columns are filled in."""

_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_LENGTH, _NULL = ">i4", -1
_NUMBERS: tuple[tuple[type[Any], str], ...] = ((sa.BigInteger, ">i8"), (sa.Integer, ">i4"), (sa.Double, ">f8"))
"""How numbers travel, by the type of their column; a BigInteger is an Integer, too, and so comes first."""


def in_order(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Columns in the order of a row's values: vectors, whose JSON has no fixed length, come last."""
    return dict(sorted(columns.items(), key=lambda item: item[1].ndim))


def copy_blocks(table: sa.Table, columns: Mapping[str, Array]) -> Iterator[bytes]:
    """The bytes of rows for COPY, in blocks: the server reads a block while the next is being made.

    Args:
        columns: `in_order`, by the names of the table's columns; NaN stands for NULL except in vectors.

    Raises:
        OverflowError: an integer does not fit its column.
    """
    types = {name: _type(table.c[name]) for name, column in columns.items() if column.ndim == 1}
    for name, type_ in types.items():
        _check_fits(name, columns[name], type_)
    yield _HEADER
    for absent, rows in _alike({name: columns[name] for name in types}):
        present = {name: column if rows is None else column[rows] for name, column in columns.items()}
        layout = _Layout({name: None if name in absent else type_ for name, type_ in types.items()}, present)
        yield from map(layout.block, range(0, layout.count, ROWS_AT_ONCE))
    yield _TRAILER


def _type(column: sa.Column[Any]) -> np.dtype[Any]:
    return next(np.dtype(type_) for kind, type_ in _NUMBERS if isinstance(column.type, kind))


def _check_fits(name: str, column: Array, type_: np.dtype[Any]) -> None:
    if type_.kind == "i" and column.dtype != np.int64:
        outside = np.abs(column) > np.iinfo(type_).max
        if outside.any():
            raise OverflowError(
                f"{column[outside][0]:.0f} does not fit the {8 * type_.itemsize} bits of the column {name}."
            )


def _alike(columns: Mapping[str, Array]) -> Iterator[tuple[set[str], Array | None]]:
    """Groups of rows that are NULL in the same columns: these columns, and the rows' positions, None for all rows."""
    missing = {name: np.isnan(column) for name, column in columns.items() if column.dtype.kind == "f"}
    missing = {name: rows for name, rows in missing.items() if rows.any()}
    if not missing:
        yield set(), None
        return
    codes = sum(rows.astype(np.int64) << bit for bit, rows in enumerate(missing.values()))
    for code in np.unique(codes).tolist():
        yield {name for bit, name in enumerate(missing) if code >> bit & 1}, np.flatnonzero(codes == code)


class _Layout:
    """Rows that are NULL in the same columns.

    Args:
        types: of the columns of numbers; None where the rows are NULL.
        columns: all of the rows.
    """

    def __init__(self, types: Mapping[str, np.dtype[Any] | None], columns: Mapping[str, Array]) -> None:
        self._vectors = [column for name, column in columns.items() if name not in types]
        fields: list[tuple[str, Any]] = [("count", ">i2")]
        for name, type_ in types.items():
            fields += [(f"length of {name}", _LENGTH), *([] if type_ is None else [(name, type_)])]
        self._rows = np.empty(ROWS_AT_ONCE, dtype=[*fields, *([("length", _LENGTH)] if self._vectors else [])])
        self._rows["count"] = len(columns)
        for name, type_ in types.items():
            self._rows[f"length of {name}"] = _NULL if type_ is None else type_.itemsize
        self.count = len(next(iter(columns.values())))
        self._numbers = {name: columns[name] for name, type_ in types.items() if type_ is not None}

    def block(self, start: int) -> bytes:
        """The bytes of the rows from `start` on."""
        chosen, rows = slice(start, start + ROWS_AT_ONCE), self._rows[: self.count - start]
        for name, column in self._numbers.items():
            rows[name] = column[chosen]
        if not self._vectors:
            return rows.tobytes()
        texts = [vector_texts(column[chosen]) for column in self._vectors]
        rows["length"] = _lengths(texts[0])
        pieces = [_as_bytes(rows), texts[0]]
        for further in texts[1:]:
            pieces += [_as_bytes(_lengths(further)), further]
        return b"".join(chain.from_iterable(zip(*pieces, strict=True)))


def _lengths(texts: Sequence[bytes]) -> Array:
    return np.fromiter(map(len, texts), dtype=_LENGTH, count=len(texts))


def _as_bytes(rows: Array) -> list[bytes]:
    return rows.view(f"V{rows.dtype.itemsize}").tolist()
