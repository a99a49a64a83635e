"""Nodes of a spec, derived from the models that validate it, so that queries know new fields at once."""

import types
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from service.queries.fields import SCALAR, Kind, Node, Values
from workers.runs.base import ColumnOfNumbers
from workers.runs.seeds import Exact

_KINDS = {
    str: Kind.TEXT,
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    Exact: Kind.NATURAL,
    float: Kind.NUMBER,
    ColumnOfNumbers: Kind.NUMBER,
    datetime: Kind.TIME,
}


class SpecNode(Node):
    """A node of a spec: the values that its annotations allow."""

    def __init__(self, annotations: Sequence[Any]) -> None:
        self._types = [alternative for annotation in annotations for alternative in _alternatives(annotation)]
        super().__init__(_values(self._types))

    def names(self) -> Sequence[str]:
        return list(dict.fromkeys(name for model in self._models() for name in _by_name(model)))

    def below(self, step: str | int) -> Node | None:
        annotations = list((*self._fields(step), *self._named()) if isinstance(step, str) else self._items())
        return SpecNode(annotations) if annotations else None

    def _models(self) -> Iterator[type[BaseModel]]:
        return (type_ for type_ in self._types if isinstance(type_, type) and issubclass(type_, BaseModel))

    def _fields(self, name: str) -> Iterator[Any]:
        fields = (_by_name(model)[name] for model in self._models() if name in _by_name(model))
        return (_taken(field) for field in fields)

    def _named(self) -> Iterator[Any]:
        """What stands under the names of an object that may have any."""
        return (get_args(type_)[1] for type_ in self._types if get_origin(type_) is dict)

    def _items(self) -> Iterator[Any]:
        for type_ in self._types:
            if get_origin(type_) in (tuple, list):
                yield get_args(type_)[0]
            elif type_ is Any:
                yield Any
            elif type_ is ColumnOfNumbers:
                yield float


def _taken(field: FieldInfo) -> Any:
    """What a field takes, which may be more than what it holds, or the mark by which it asks to be read otherwise."""
    if (mark := next((mark for mark in (Exact, ColumnOfNumbers) if mark in field.metadata), None)) is not None:
        return mark
    posted = (one.json_schema_input_type for one in field.metadata if isinstance(one, BeforeValidator))
    return next((type_ for type_ in posted if type_ is not PydanticUndefined), field.annotation)


def _by_name(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by their names in JSON."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows, without None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for alternative in get_args(annotation):
            yield from _alternatives(alternative)
    elif annotation is not types.NoneType:
        yield annotation


def _values(alternatives: Sequence[Any]) -> Values:
    kinds = frozenset(kind for type_ in alternatives for kind in _kinds(type_))
    words = [word for type_ in alternatives for word in _words(type_)]
    return Values(kinds, frozenset(words)) if Kind.TEXT in kinds and None not in words else Values(kinds)


def _words(type_: Any) -> Sequence[Any]:
    """The texts of a type; the kind of an object stands for it where a name does. None stands for any text."""
    if get_origin(type_) is Literal:
        return get_args(type_)
    is_object = isinstance(type_, type) and issubclass(type_, BaseModel) and "kind" in type_.model_fields
    return get_args(type_.model_fields["kind"].annotation) if is_object else (None,)


def _kinds(type_: Any) -> Iterator[Kind]:
    if type_ is Any:
        yield from (SCALAR | {Kind.LIST}) - {Kind.TIME, Kind.NATURAL}
    elif get_origin(type_) is Literal:
        yield from {_KINDS[type(word)] for word in get_args(type_)}
    elif get_origin(type_) in (tuple, list):
        yield Kind.LIST
    elif type_ in _KINDS:
        yield _KINDS[type_]
    else:
        yield Kind.OBJECT
