"""Conversion of the parse tree of a `where` into its expression: names become fields, literals become values."""

import re
from collections.abc import Sequence
from typing import Any

from lark import Token, Tree

from service.limits import exceeded
from service.queries.catalogues import Catalogue
from service.queries.errors import QueryError
from service.queries.expressions import (
    ANY_LETTER,
    ANY_TEXT,
    Comparison,
    Every,
    Expression,
    Match,
    Membership,
    Missing,
    Negation,
    Some,
    Value,
)
from service.queries.fields import SCALAR, Field, Kind
from service.queries.literals import read_literal
from service.settings import Limits

_WITHOUT_ORDER = ("=", "!=")


class TreeBuilder:
    """Builds the expression of a `where`, and checks the limits on depth, comparisons and values."""

    def __init__(self, catalogue: Catalogue, limits: Limits) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._tests = self._listed = 0

    def transform(self, node: Any, depth: int = 0) -> Expression:
        """The expression of a node of the parse tree; raises QueryError."""
        if depth > self._limits.max_where_depth:
            self._refuse(node.meta.start_pos, "The nesting of this expression is", depth, "max_where_depth")
        match node.data:
            case "negation":
                return Negation(self.transform(node.children[1], depth + 1))
            case "conjunction":
                return Every(self._parts(node, depth))
            case "disjunction":
                return Some(self._parts(node, depth))
            case _:
                return self._test(node)

    def _parts(self, node: Any, depth: int) -> tuple[Expression, ...]:
        return tuple(self.transform(part, depth + 1) for part in node.children if isinstance(part, Tree))

    def _test(self, node: Any) -> Expression:
        self._tests += 1
        name: Token = node.children[0]
        if self._tests > self._limits.max_where_tests:
            self._refuse(name.start_pos, "The comparisons of this expression are", self._tests, "max_where_tests")
        field = self._catalogue.find(str(name), name.start_pos or 0)
        rest = [token for token in node.children[1:] if token is not None]
        negated = any(token.type == "NOT" for token in rest)
        literals = [token for token in rest if token.type in ("STRING", "NUMBER", "NONFINITE", "TRUTH")]
        if node.data == "missing":
            return Missing(field, negated)
        if not field.values.kinds & SCALAR:
            raise QueryError(name.start_pos or 0, f"{field.name} is {field.values.said}; compare a value inside it.")
        if node.data == "membership":
            return Membership(field, self._values(field, literals), negated)
        if node.data == "match":
            return _match(field, name, literals[0], negated, any(token.type == "ILIKE" for token in rest))
        return _comparison(field, rest[0], read_literal(literals[0], field))

    def _values(self, field: Field, literals: Sequence[Token]) -> tuple[Value, ...]:
        self._listed += len(literals)
        if self._listed > self._limits.max_where_values:
            at = literals[self._limits.max_where_values - self._listed].start_pos
            self._refuse(at, "The values of all lists are", self._listed, "max_where_values")
        return tuple(read_literal(literal, field) for literal in literals)

    def _refuse(self, position: int | None, subject: str, value: int, name: str) -> None:
        raise QueryError(position or 0, exceeded(subject, value, self._limits, name))


def _comparison(field: Field, operator: Token, value: Value) -> Expression:
    if isinstance(value, bool) and operator not in _WITHOUT_ORDER:
        raise QueryError(operator.start_pos or 0, f"True and false have no order; compare {field.name} by = or !=.")
    return Comparison(field, str(operator), value)  # pyright: ignore[reportArgumentType]


def _match(field: Field, name: Token, literal: Token, negated: bool, ignores_case: bool) -> Expression:
    if Kind.TEXT not in field.values.kinds:
        raise QueryError(name.start_pos or 0, f"{field.name} is {field.values.said}; LIKE and ILIKE are for texts.")
    text, pattern = literal[1:-1].replace("''", "'"), []
    for character in re.finditer(r"\\(.)|(.)|\\$", text, re.DOTALL):
        escaped, plain = character.groups()
        if (escaped is None and plain is None) or plain == "\\":
            raise QueryError(literal.start_pos or 0, r"This pattern ends with a lone backslash; write it twice.")
        pattern.append(escaped or {"%": ANY_TEXT, "_": ANY_LETTER}.get(plain, plain))
    return Match(field, tuple(pattern), negated, ignores_case)
