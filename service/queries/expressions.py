"""Expressions: what a `where` says, as a tree.

A comparison with what a run does not have is false, whatever the operator, and so is one with what is not a number;
NOT turns false into true. A selection and its NOT therefore always share out all runs between them.
"""

from collections.abc import Sequence
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
    """field [NOT] LIKE pattern; the case of letters counts.

    Attributes:
        pattern: its characters; "%" and "_" that stand for others are ANY_TEXT and ANY_LETTER.
    """

    field: Field
    pattern: tuple[str, ...]
    negated: bool


ANY_TEXT, ANY_LETTER = "any text", "any letter"


@dataclass(frozen=True)
class Missing:
    """field IS [NOT] NULL: there is no such value, or it is not a number."""

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
