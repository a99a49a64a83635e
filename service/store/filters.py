"""Filters: conversion of a query's expression into an SQL condition.

In the query language a comparison with NULL is false and its NOT is true, but in SQL both are unknown. Unknown counts
as false unless a NOT is applied to it. NOT is therefore moved down to the comparisons, where it is true for NULL.
"""

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from service.queries.expressions import (
    Comparison,
    Every,
    Expression,
    Match,
    Membership,
    Missing,
    Negation,
    Some,
    Test,
    Value,
    fields_of,
)
from service.queries.fields import NUMERIC, Field, Kind
from service.store.fields import Home
from service.store.json_sql import matches, number_in, sortable
from service.store.naturals import LARGEST_INTEGER, Natural
from service.store.tables import UtcTime

Condition = sa.ColumnElement[bool]
_OPERATORS: dict[str, Callable[[Any, Any], Condition]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Filter:
    """Converts expressions on the fields of a resource into conditions in the SQL of a database."""

    def __init__(self, home: Home, dialect: str) -> None:
        self._home = home
        self._dialect = dialect

    def condition(self, expression: Expression, negated: bool = False) -> Condition:
        """The condition that an expression (or its NOT) is true; NULL stands for false."""
        match expression:
            case Negation(part):
                return self.condition(part, not negated)
            case Every(parts) | Some(parts):
                join = sa.and_ if isinstance(expression, Every) != negated else sa.or_
                return join(*(self.condition(part, negated) for part in sorted(parts, key=self._documents_read)))
            case Missing(field, is_not):
                exists = self._home.exists(field, self._dialect)
                return exists if is_not != negated else sa.not_(exists)
            case test:
                condition = self._test(test)
                return sa.not_(sa.func.coalesce(condition, sa.false())) if negated else condition

    def _documents_read(self, part: Expression) -> int:
        """How many fields are read from JSON; what columns decide comes first, as databases test in the order given."""
        return sum(field.path not in self._home.columns for field in fields_of(part))

    def _test(self, test: Test) -> Condition:
        match test:
            case Comparison(field, sign, value):
                column = self._column(field, value)
                has_order = isinstance(value, str) and sign not in ("=", "!=")
                ordered = sortable(column, self._dialect) if has_order else column
                return _OPERATORS[sign](ordered, self._literal(column, value))
            case Membership():
                return self._membership(test)
            case Match(field, pattern, negated):
                text = self._home.value(field, Kind.TEXT, self._dialect)
                match_ = matches(text, pattern, self._dialect, test.ignores_case)
                return sa.not_(match_) if negated else match_
            case Missing():
                raise AssertionError("handled above")

    def _literal(self, column: sa.ColumnElement[Any], value: Value) -> sa.ColumnElement[Any]:
        # PostgreSQL would compare a NUMERIC with a fraction as floats, which hold no number of hundreds of digits.
        is_fraction_of_natural = isinstance(value, float) and isinstance(column.type, Natural)
        if is_fraction_of_natural and self._dialect != "sqlite":
            return sa.cast(literal(value), sa.Numeric)
        return literal(value)

    def _membership(self, test: Membership) -> Condition:
        """Whether a value is in a list, or is comparable and not in it; a list may hold values of several kinds."""
        by_kind: dict[Kind, list[Value]] = {}
        for value in test.values:
            by_kind.setdefault(_kind_of(value), []).append(value)
        columns = [(self._column(test.field, values[0]), values) for values in by_kind.values()]
        is_in = sa.or_(*(column.in_([self._literal(column, value) for value in values]) for column, values in columns))
        if not test.negated:
            return is_in
        is_comparable = sa.or_(*(column.is_not(None) for column, _ in columns))
        return sa.and_(is_comparable, sa.not_(sa.func.coalesce(is_in, sa.false())))

    def _column(self, field: Field, value: Value) -> sa.ColumnElement[Any]:
        """A field's value as the kind of a literal; a text that spells a number is one beside numbers."""
        kind = _kind_of(value)
        if kind in NUMERIC and field.values.spells_numbers:
            return number_in(self._home.value(field, Kind.TEXT, self._dialect), self._dialect)
        return self._home.value(field, kind, self._dialect)


def literal(value: Value) -> sa.BindParameter[Any]:
    """A value as a bound parameter, in a type wide enough that no database truncates it."""
    match value:
        case bool():
            return sa.literal(value, sa.Boolean)
        case int():
            return sa.literal(value, Natural if value > LARGEST_INTEGER else sa.BigInteger)
        case float():
            return sa.literal(value, sa.Double)
        case datetime():
            return sa.literal(value, UtcTime)
        case _:
            return sa.literal(value, sa.Text)


def _kind_of(value: Value) -> Kind:
    kinds = {bool: Kind.BOOLEAN, int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.TEXT}
    return next((kind for type_, kind in kinds.items() if type(value) is type_), Kind.TIME)
