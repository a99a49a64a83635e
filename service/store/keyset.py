"""Keysets: sorted lists that continue after the last row seen, regardless of rows added or changed meanwhile."""

from collections.abc import Iterator, Sequence
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
        self._is_never_null = [home.is_never_null(key.field) for key in keys]

    def read(self, connection: sa.Connection, query: sa.Select[Any], after: Mark | None, limit: int) -> Sequence[Mark]:
        """The first rows of a query of ids in this order, after a mark.

        Rows with a first key are read before those without, by statements of their own: an index then has the order of
        either.
        """
        marks = list[Mark]()
        for part in self._parts(query, after):
            rows = connection.execute(part.limit(limit - len(marks)))
            marks += [Mark(tuple(values), row_id) for row_id, *values in rows]
            if len(marks) == limit:
                break
        return marks

    def _parts(self, query: sa.Select[Any], after: Mark | None) -> Iterator[sa.Select[Any]]:
        if not self._columns:
            yield self._sorted(query, after)
            return
        first = self._columns[0]
        if after is None or after.values[0] is not None:
            some = query if self._is_never_null[0] else query.where(first.is_not(None))
            yield self._sorted(some if after is None else some.where(self._not_before(after)), after)
            after = None
        if not self._is_never_null[0]:
            yield self._sorted(query.where(first.is_(None)), after)

    def _sorted(self, query: sa.Select[Any], after: Mark | None) -> sa.Select[Any]:
        """A query extended by the sort values, sorted, and restricted to rows after a mark."""
        labels = [column.label(f"key_{index}") for index, column in enumerate(self._columns)]
        query = query.add_columns(*labels)
        for index, (label, descending) in enumerate(zip(labels, self._descending, strict=True)):
            if index and not self._is_never_null[index]:
                query = query.order_by(self._columns[index].is_(None))
            query = query.order_by(label.desc() if descending else label.asc())
        query = query.order_by(self._row_id.desc() if self._newest_first else self._row_id.asc())
        return query if after is None else query.where(self._after(after))

    def _not_before(self, mark: Mark) -> sa.ColumnElement[bool]:
        """What `_after` implies of the first key, in a form that is a range of an index."""
        value = literal(mark.values[0]) if mark.values[0] is not None else sa.null()
        return self._columns[0] <= value if self._descending[0] else self._columns[0] >= value

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
