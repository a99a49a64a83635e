"""Expressions: the tree of a `where`.

A comparison with a missing value or NaN is false for every operator, and NOT turns false into true. A selection and its
NOT therefore divide all runs between them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.queries.fields import Field

Value = str | int | float | bool | datetime
Operator = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True)
class Comparison:
    """field operator value."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True)
class Membership:
    """field [NOT] IN (values)."""

    field: Field
    values: tuple[Value, ...]
    negated: bool


@dataclass(frozen=True)
class Match:
    """field [NOT] LIKE pattern, or ILIKE.

    Attributes:
        pattern: its characters, with ANY_TEXT for the wildcard "%" and ANY_LETTER for "_".
        ignores_case: whether capitals and small letters are alike, as in ILIKE.
    """

    field: Field
    pattern: tuple[str, ...]
    negated: bool
    ignores_case: bool = False


ANY_TEXT, ANY_LETTER = "any text", "any letter"


@dataclass(frozen=True)
class Missing:
    """field IS [NOT] NULL: the value is missing or NaN."""

    field: Field
    negated: bool


@dataclass(frozen=True)
class Negation:
    """NOT part."""

    part: "Expression"


@dataclass(frozen=True)
class Every:
    """parts joined by AND."""

    parts: Sequence["Expression"]


@dataclass(frozen=True)
class Some:
    """parts joined by OR."""

    parts: Sequence["Expression"]


Test = Comparison | Membership | Match | Missing
Expression = Test | Negation | Every | Some


def fields_of(expression: Expression) -> Iterator[Field]:
    """The fields that an expression tests."""
    match expression:
        case Negation(part):
            yield from fields_of(part)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from fields_of(part)
        case test:
            yield test.field
