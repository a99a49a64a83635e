"""Values inside JSON columns and comparisons of texts, in the SQL of each database.

A value of another kind than requested is NULL; a list, for example, is never compared as a text.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import inf
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from service.queries.expressions import ANY_LETTER, ANY_TEXT
from service.queries.fields import NUMERIC, Kind, Path
from service.values.numbers import INFINITIES, NUMBER_PATTERN

Column = sa.ColumnElement[Any]

_LARGEST, _LEAST = (sa.literal(Decimal(edge), sa.Numeric) for edge in ("1.797693134862315807e308", "2.47e-324"))
"""Decimal numbers beyond which a double is infinite, and below which it is 0."""


def json_value(column: Column, path: Path, kind: Kind, dialect: str) -> Column:
    """The value at a path of a JSON column, of type Double, Text or Boolean; NULL for a value of another kind."""
    return _SqliteValue(column, path).of(kind) if dialect == "sqlite" else _PostgresValue(column, path).of(kind)


def json_exists(column: Column, path: Path, dialect: str) -> Column:
    """Whether a JSON column has a value other than null at a path."""
    kind = _SqliteValue(column, path).kind if dialect == "sqlite" else _PostgresValue(column, path).kind
    return sa.func.coalesce(kind, "null") != "null"


def json_text(column: Column, path: Path, dialect: str) -> Column:
    """The JSON of the value at a path of a JSON column, as it was stored; NULL for null and for nothing."""
    if dialect == "sqlite":
        text = column.op("->")(_sqlite_path(path))
    else:
        text = sa.cast(sa.cast(column, sa.JSON)[tuple(map(str, path))], sa.Text)
    return sa.func.nullif(sa.type_coerce(text, sa.Text), "null", type_=sa.Text)


def sortable(text: Column, dialect: str) -> Column:
    """A text that every database sorts by code points."""
    return text if dialect == "sqlite" else sa.collate(text, "C")


def matches(text: Column, pattern: Sequence[str], dialect: str, ignores_case: bool) -> Column:
    """Whether a text matches a pattern of letters, ANY_TEXT and ANY_LETTER."""
    if dialect == "sqlite":  # its LIKE ignores the case of ASCII letters, and only of these
        letters = map(_glob_of_any_case, pattern) if ignores_case else map(_glob, pattern)
        return text.op("GLOB", is_comparison=True)("".join(letters))
    if ignores_case:  # the database's ILIKE knows the letters of its locale alone
        capitals = {case: _capital(letter) for letter in pattern for case in _cases(letter)}
        others = [case for case, capital in capitals.items() if case != capital]
        text = sa.func.translate(text, "".join(others), "".join(map(capitals.__getitem__, others)), type_=sa.Text)
        pattern = [capitals.get(letter, letter) for letter in pattern]
    return text.like("".join(map(_like, pattern)), escape="\\")


def number_in(text: Column, dialect: str) -> Column:
    """The number that a text spells as `numbers.number_in` reads it, as a Double; NULL where it spells none."""
    if dialect == "sqlite":
        return sa.func.number_in(text, type_=sa.Double)  # see service/store/sqlite.py
    exact = sa.cast(text, sa.Numeric)
    beyond = [(exact > _LARGEST, inf), (exact < -_LARGEST, -inf), (sa.func.abs(exact) < _LEAST, 0.0)]
    whens = [(condition, sa.literal(value, sa.Double)) for condition, value in beyond]  # a cast would be an error
    finite = sa.case(*whens, else_=sa.cast(text, sa.Double))
    spelled = [(text == word, sa.literal(value, sa.Double)) for word, value in INFINITIES.items()]
    return sa.case((text.op("~", is_comparison=True)(NUMBER_PATTERN), finite), *spelled)


class _SqliteValue:
    def __init__(self, column: Column, path: Path) -> None:
        json_path = _sqlite_path(path)
        self.kind = sa.func.json_type(column, json_path, type_=sa.Text)
        self._column = column
        self._json_path = json_path

    def _value(self, kind: type[Any]) -> Column:
        return sa.func.json_extract(self._column, self._json_path, type_=kind)

    def of(self, kind: Kind) -> Column:
        if kind in NUMERIC:
            whens = [(self.kind.in_(("integer", "real")), self._value(sa.Double))]
            return sa.case(*whens, *_spelled_numbers(self.kind == "text", self._value(sa.Text)))
        if kind is Kind.BOOLEAN:
            return sa.case((self.kind == "true", sa.true()), (self.kind == "false", sa.false()))
        return sa.case((self.kind == "text", self._value(sa.Text)))


class _PostgresValue:
    def __init__(self, column: Column, path: Path) -> None:
        value = sa.cast(column, JSONB)[tuple(path)] if path else sa.cast(column, JSONB)
        self.kind = sa.func.jsonb_typeof(value, type_=sa.Text)
        self._text = sa.cast(column, JSONB)[tuple(path)].astext

    def of(self, kind: Kind) -> Column:
        if kind in NUMERIC:
            whens = [(self.kind == "number", sa.cast(self._text, sa.Double))]
            return sa.case(*whens, *_spelled_numbers(self.kind == "string", self._text))
        if kind is Kind.BOOLEAN:
            return sa.case((self.kind == "boolean", sa.cast(self._text, sa.Boolean)))
        return sa.case((self.kind == "string", self._text))


def _sqlite_path(path: Path) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in path)


def _spelled_numbers(is_text: Column, text: Column) -> list[tuple[Column, Column]]:
    """WHEN clauses for non-finite numbers, which JSON spells as texts."""
    return [(sa.and_(is_text, text == word), sa.literal(value, sa.Double)) for word, value in INFINITIES.items()]


def _cases(letter: str) -> str:
    """A letter as a small and as a capital one, as far as each of them is a single letter; none of a wildcard."""
    return "".join(dict.fromkeys(case for case in (letter, letter.lower(), letter.upper()) if len(case) == 1))


def _glob_of_any_case(letter: str) -> str:
    cases = _cases(letter)
    return f"[{cases}]" if len(cases) > 1 else _glob(letter)


def _capital(letter: str) -> str:
    return letter.upper() if len(letter.upper()) == 1 else letter


def _glob(letter: str) -> str:
    if letter in "*?[":
        return f"[{letter}]"
    return {ANY_TEXT: "*", ANY_LETTER: "?"}.get(letter, letter)


def _like(letter: str) -> str:
    if letter in "%_\\":
        return f"\\{letter}"
    return {ANY_TEXT: "%", ANY_LETTER: "_"}.get(letter, letter)
