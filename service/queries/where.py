"""The `where` language: parsing of its text into an expression."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from service.limits import exceeded
from service.queries.catalogues import Catalogue
from service.queries.errors import QueryError
from service.queries.expressions import Expression
from service.queries.tree import TreeBuilder
from service.settings import Limits
from service.values.numbers import INFINITY

_SAID = {
    "FIELD": "a field",
    "COMPARE": "a comparison (= != < <= > >=)",
    "STRING": "a text in single quotes",
    "NUMBER": "a number",
    "TRUTH": "true or false",
    "NONFINITE": INFINITY,
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "$END": "the end",
}


def parse_where(text: str, catalogue: Catalogue, limits: Limits) -> Expression:
    """The expression of a text.

    Raises:
        QueryError: a syntax error, an unknown field, or a comparison that is not possible.
    """
    if len(text) > limits.max_where_characters:
        said = exceeded("The characters of this expression are", len(text), limits, "max_where_characters")
        raise QueryError(limits.max_where_characters, said)
    try:
        return TreeBuilder(catalogue, limits).transform(_grammar().parse(text))
    except UnexpectedInput as error:
        raise _explained(error, text) from None


@cache
def _grammar() -> Lark:
    text = (files("service.queries") / "where.lark").read_text()
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _explained(error: UnexpectedInput, text: str) -> QueryError:
    if isinstance(error, UnexpectedCharacters):
        at: int = error.pos_in_stream or 0
        if text[at] == "'":
            return QueryError(at, "This text has no closing quote; write a quote inside a text twice.")
        return QueryError(at, f"{text[at]!r} means nothing here; expected {_expected(error.allowed)}.")
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return QueryError(
            error.token.start_pos or 0, f"Expected {_expected(error.expected)}, not {_shown(error.token)}."
        )
    expected = error.expected if isinstance(error, UnexpectedEOF | UnexpectedToken) else ()
    return QueryError(len(text), f"The expression ends too soon; expected {_expected(expected)}.")


def _shown(token: Token) -> str:
    return repr(str(token) if len(token) <= 40 else f"{token[:40]}...")


def _expected(names: Iterable[str] | None) -> str:
    said = sorted({_SAID.get(name, str(name)) for name in names or ()}, key=lambda word: (word.isupper(), word))
    return " or ".join(said) or "nothing more"
