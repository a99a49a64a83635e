"""Keysets: sorted lists that continue after the last row seen, regardless of rows added or changed meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.queries.expressions import Value
from service.queries.fields import Kind
from service.queries.lists import Key
from service.store.fields import Home, kind_to_sort
from service.store.filters import literal
from service.store.json_sql import sortable

Column = sa.ColumnElement[Any]


@dataclass(frozen=True)
class Mark:
    """The last row read of a list: its sort values and internal id."""

    values: tuple[Value | None, ...]
    row_id: int


class Keyset:
    """The order of a list: its sort keys, with missing values last, then the internal id.

    Args:
        newest_first: whether rows with equal keys are in descending order of id.
    """

    def __init__(
        self, home: Home, keys: Sequence[Key], row_id: Column, dialect: str, newest_first: bool = False
    ) -> None:
        self._row_id = row_id
        self._newest_first = newest_first
        self._descending = [key.descending for key in keys]
        self._columns = [_column(home, key, dialect) for key in keys]

    def apply(self, query: sa.Select[Any], after: Mark | None) -> sa.Select[Any]:
        """A query of ids, extended by the sort values, sorted, and restricted to rows after a mark."""
        query = query.add_columns(*(column.label(f"key_{index}") for index, column in enumerate(self._columns)))
        for column, descending in zip(self._columns, self._descending, strict=True):
            query = query.order_by(column.is_(None), column.desc() if descending else column.asc())
        query = query.order_by(self._row_id.desc() if self._newest_first else self._row_id.asc())
        return query if after is None else query.where(self._after(after))

    def _after(self, mark: Mark) -> sa.ColumnElement[bool]:
        """Rows after a mark: the first key that differs is behind the mark's, or all are equal and the id is behind."""
        behind = self._row_id < mark.row_id if self._newest_first else self._row_id > mark.row_id
        # from the last key outwards: each condition contains that of the keys after it
        for column, descending, value in reversed([*zip(self._columns, self._descending, mark.values, strict=True)]):
            if value is None:
                behind = sa.and_(column.is_(None), behind)
                continue
            further = column < literal(value) if descending else column > literal(value)
            behind = sa.or_(further, column.is_(None), sa.and_(column == literal(value), behind))
        return behind


def _column(home: Home, key: Key, dialect: str) -> Column:
    kind = kind_to_sort(key.field)
    column = home.value(key.field, kind, dialect)
    return sortable(column, dialect) if kind is Kind.TEXT else column
