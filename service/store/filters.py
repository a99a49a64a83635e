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
)
from service.queries.fields import Kind
from service.store.fields import Home
from service.store.json_sql import matches, sortable
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
                return join(*(self.condition(part, negated) for part in parts))
            case Missing(field, is_not):
                exists = self._home.exists(field, self._dialect)
                return exists if is_not != negated else sa.not_(exists)
            case test:
                condition = self._test(test)
                return sa.not_(sa.func.coalesce(condition, sa.false())) if negated else condition

    def _test(self, test: Test) -> Condition:
        match test:
            case Comparison(_, sign, value):
                column = self._column(test, value)
                return _OPERATORS[sign](column, self._literal(column, value))
            case Membership(_, values, negated):
                column = self._column(test, values[0])
                literals = [self._literal(column, value) for value in values]
                return column.not_in(literals) if negated else column.in_(literals)
            case Match(field, pattern, negated):
                match_ = matches(self._home.value(field, Kind.TEXT, self._dialect), pattern, self._dialect)
                return sa.not_(match_) if negated else match_
            case Missing():
                raise AssertionError("handled above")

    def _literal(self, column: sa.ColumnElement[Any], value: Value) -> sa.ColumnElement[Any]:
        # PostgreSQL would compare a NUMERIC with a fraction as floats, which hold no number of hundreds of digits.
        is_fraction_of_natural = isinstance(value, float) and isinstance(column.type, Natural)
        if is_fraction_of_natural and self._dialect != "sqlite":
            return sa.cast(literal(value), sa.Numeric)
        return literal(value)

    def _column(self, test: Comparison | Membership, value: Value) -> sa.ColumnElement[Any]:
        column = self._home.value(test.field, _kind_of(value), self._dialect)
        return sortable(column, self._dialect) if isinstance(value, str) else column


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
