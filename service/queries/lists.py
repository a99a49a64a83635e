"""Lists of names separated by commas: `order_by`, `fields`, `group_by`, `metric`, `metrics`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from service.limits import exceeded
from service.queries.catalogues import Catalogue
from service.queries.errors import QueryError
from service.queries.fields import SCALAR, Field
from service.settings import Limits

_PART = re.compile(r'(?:[^,"]|"[^"]*"?)*')
_ORDER = re.compile(r"(?P<minus>-?)(?P<name>.*?)(?:(?:\s+|:)(?P<word>asc|desc))?", re.IGNORECASE | re.DOTALL)
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Key:
    """A sort key; missing values are last in both directions."""

    field: Field
    descending: bool


def parse_order(text: str, catalogue: Catalogue, limits: Limits) -> tuple[Key, ...]:
    """The keys of an `order_by`: `summary.loss desc, created_at` or `-summary.loss,created_at`.

    Raises:
        QueryError: no such field, or a field without an order.
    """
    return tuple(_key(name, at, catalogue) for name, at in split_names(text, limits))


def parse_names(text: str, find: Callable[[str, int], Parsed], limits: Limits) -> tuple[Parsed, ...]:
    """The results of `find` for each name of a list and its position; errors of `find` pass through."""
    return tuple(find(name, at) for name, at in split_names(text, limits))


def scalar_field(catalogue: Catalogue) -> Callable[[str, int], Field]:
    """A function that finds scalar fields by name and position."""

    def find(name: str, position: int) -> Field:
        field = catalogue.find(name, position)
        if not field.values.kinds & SCALAR:
            raise QueryError(position, f"{name} is {field.values.said}; take a value inside it.")
        return field

    return find


def split_names(text: str, limits: Limits) -> Iterator[tuple[str, int]]:
    """The names of a list and their positions; raises QueryError for an empty name or too long a list."""
    if len(text) > limits.max_where_characters:
        said = exceeded("The characters of this list are", len(text), limits, "max_where_characters")
        raise QueryError(limits.max_where_characters, said)
    at = 0
    for count, part in enumerate(_parts(text), start=1):
        name = part.strip()
        start = at + len(part) - len(part.lstrip())
        if not name:
            raise QueryError(start, "There is no name here; give names separated by commas.")
        if count > limits.max_named_fields:
            raise QueryError(start, exceeded("The names of this list are at least", count, limits, "max_named_fields"))
        yield name, start
        at += len(part) + 1


def _parts(text: str) -> Iterator[str]:
    at = 0
    while at <= len(text):
        part = _PART.match(text, at)
        assert part is not None
        yield part[0]
        at = part.end() + 1


def _key(text: str, at: int, catalogue: Catalogue) -> Key:
    order = _ORDER.fullmatch(text)
    assert order is not None
    minus, name, word = order.group("minus", "name", "word")
    if minus and word:
        raise QueryError(at, "Give the direction once: either a minus before the name, or asc or desc after it.")
    field = scalar_field(catalogue)(name, at + len(minus))
    return Key(field, bool(minus) or (word or "").lower() == "desc")
