"""Literals: conversion of their texts into values of a field's kinds."""

from datetime import UTC, datetime
from decimal import Decimal

from lark import Token

from service.queries.errors import QueryError
from service.queries.expressions import Value
from service.queries.fields import NUMERIC, Field, Kind
from service.values.numbers import INFINITIES, INFINITY, NAN
from workers.runs.seeds import MOST_SEED_DIGITS

LARGEST_SQL_INTEGER = 2**63 - 1
BEYOND_SEEDS = 10**MOST_SEED_DIGITS
_INFINITIES = {**INFINITIES, f"+{INFINITY}": INFINITIES[INFINITY]}


def read_literal(token: Token, field: Field) -> Value:
    """The value of a literal in a comparison with a field.

    Raises:
        QueryError: the field has no values of the literal's kind.
    """
    kinds, at = field.values.kinds, token.start_pos or 0
    if token.type == "TRUTH" and Kind.BOOLEAN in kinds:
        return token.upper() == "TRUE"
    if Kind.NATURAL in kinds and (exact := _exact(token)) is not None:
        return exact
    is_numeric = bool(kinds & NUMERIC) or field.values.spells_numbers
    if token.type == "NUMBER" and is_numeric:
        return _number(token)
    if token.type == "NONFINITE" and is_numeric:
        return _nonfinite(str(token), field, at)
    if token.type == "STRING":
        return _text(token[1:-1].replace("''", "'"), field, at)
    raise _mismatch(field, at)


def _exact(token: Token) -> int | None:
    """A literal as a whole number of any size, None for one that is none.

    Beyond all seeds the size no longer matters: infinite bounds become whole numbers that no seed reaches.
    """
    text = str(token)[1:-1] if token.type == "STRING" else str(token)
    if token.type not in ("NUMBER", "STRING", "NONFINITE") or (token.type == "STRING" and not text.isdecimal()):
        return None
    if text in _INFINITIES or len(text) > 2 * MOST_SEED_DIGITS:
        return -1 if text.startswith("-") else BEYOND_SEEDS
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() > MOST_SEED_DIGITS:
        return None if number.is_nan() else -1 if number < 0 else BEYOND_SEEDS
    return int(number) if number == number.to_integral_value() else None


def _number(token: Token) -> Value:
    try:
        number = int(token)
    except ValueError:  # a fraction, an exponent, or more digits than Python reads
        return float(token)
    return number if abs(number) <= LARGEST_SQL_INTEGER else float(token)


def _nonfinite(word: str, field: Field, at: int) -> float:
    if word not in _INFINITIES:
        raise QueryError(at, f"Nothing compares with what is not a number; ask for {field.name} IS NULL.")
    return _INFINITIES[word]


def _text(text: str, field: Field, at: int) -> Value:
    values = field.values
    if "\x00" in text:
        raise QueryError(at, "This text holds a character that no text has (NUL); leave it out.")
    if Kind.TIME in values.kinds:
        return _time(text, field, at)
    if Kind.TEXT in values.kinds:
        if values.words is not None and text not in values.words:
            raise QueryError(at, f"{field.name} is never {text!r}; it is {values.said}.")
        return text
    if values.kinds & NUMERIC and (text in _INFINITIES or text == NAN):
        return _nonfinite(text, field, at)
    raise _mismatch(field, at)


def _time(text: str, field: Field, at: int) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise QueryError(at, f"{field.name} is a time; write it like '2026-01-31T12:00:00Z'.") from None


def _mismatch(field: Field, at: int) -> QueryError:
    advice = " Write texts in single quotes." if Kind.TEXT in field.values.kinds else ""
    meant = " Did you mean summary.loss?" if field.path == ("spec", "loss") else ""
    return QueryError(at, f"{field.name} is {field.values.said}, and this is not.{advice}{meant}")
