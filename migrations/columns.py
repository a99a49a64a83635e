"""Columns that a revision adds to tables; adding one that may be null rewrites no row."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

NewColumns = Mapping[str, Mapping[str, type[Any]]]
"""SQL types by table and column."""


def add_columns(new: NewColumns) -> None:
    """Add columns, null in every row that there is."""
    for table, columns in new.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind(), nullable=True))


def drop_columns(new: NewColumns) -> None:
    """Drop the columns again."""
    for table, columns in new.items():
        for name in columns:
            op.drop_column(table, name)
