"""Rows by many ids: a single parameter on PostgreSQL, whose driver takes a microsecond or more for each parameter."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


def among(connection: sa.Connection, column: sa.ColumnElement[int], ids: Collection[int]) -> sa.ColumnElement[bool]:
    """Whether a column has one of the ids; at most 32 766 of them on SQLite."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(ids), ARRAY(sa.BigInteger)))
    return column.in_(ids)
