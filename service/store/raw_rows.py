"""Columns of many rows from the drivers: SQLAlchemy's rows would double the time."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from service.store.postgresql import binary_cursor

ROWS_AT_ONCE = 2**11
"""Rows held as Python objects at a time: few enough to stay in the processor's cache until their conversion."""

Columns = Sequence[Sequence[Any]]
"""Columns of equal length from the driver: None for NULL, JSON texts for vectors."""


def fetch_columns(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Columns]:
    """A query's columns in blocks of rows, as the driver has their values."""
    is_postgresql = connection.dialect.name == "postgresql"
    cursor: Any = binary_cursor(connection, query) if is_postgresql else connection.execute(query).cursor
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield list(zip(*rows, strict=True))
