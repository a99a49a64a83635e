"""Columns of many rows from the drivers: SQLAlchemy's rows would double the time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from service.store.postgresql import binary_cursor

ROWS_AT_ONCE = 2**11
"""Rows held as Python objects at a time: few enough to stay in the processor's cache until their conversion."""

Numbers = npt.NDArray[np.float64]
Columns = Sequence[Sequence[Any]]
"""Columns of equal length from the driver: None for NULL, JSON texts for vectors."""


def fetch_columns(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Columns]:
    """A query's columns in blocks of rows, as the driver has their values."""
    is_postgresql = connection.dialect.name == "postgresql"
    cursor: Any = binary_cursor(connection, query) if is_postgresql else connection.execute(query).cursor
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield list(zip(*rows, strict=True))


def fetch_numbers(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Numbers]:
    """A query's columns, all of numbers, as blocks (columns, rows) with NaN for NULL.

    The rows are ordered by the first column, then by the second, and no two share both. Of each column PostgreSQL packs
    the values that share a first column into a single value of bytes: no Python object is made for each. SQLite has no
    such function.
    """
    if connection.dialect.name != "postgresql":
        yield from (np.array(columns, dtype=np.float64) for columns in fetch_columns(connection, query))
        return
    for first, *packed in binary_cursor(connection, _packed(query)):
        columns = [np.frombuffer(column, ">f8") for column in packed]
        yield np.array([np.full(len(columns[0]), first), *columns], dtype=np.float64)


def _packed(query: sa.Select[Any]) -> sa.Select[Any]:
    """The same numbers in a row for each value of the first column, as doubles of the network's byte order."""
    first, *others = query.subquery().c
    nothing = sa.literal_column("'NaN'::float8")
    sent = (sa.func.float8send(sa.func.coalesce(sa.cast(column, sa.Double), nothing)) for column in others)
    ends = sa.literal_column("''::bytea")
    packed = (sa.func.string_agg(number, aggregate_order_by(ends, others[0])) for number in sent)
    return sa.select(first, *packed).group_by(first).order_by(first)
