"""The places of a spec, read off the models that validate it: a new field of a spec can be asked for at once."""

import types
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from service.queries.fields import SCALAR, Kind, Place, Values

_KINDS = {str: Kind.TEXT, bool: Kind.BOOLEAN, int: Kind.INTEGER, float: Kind.NUMBER, datetime: Kind.TIME}


class SpecPlace(Place):
    """What the annotations of one place of a spec allow."""

    def __init__(self, annotations: Sequence[Any]) -> None:
        self._types = [one for annotation in annotations for one in _alternatives(annotation)]
        super().__init__(_values(self._types))

    def names(self) -> Sequence[str]:
        return list(dict.fromkeys(name for model in self._models() for name in model.model_fields))

    def below(self, step: str | int) -> Place | None:
        found = list(self._fields(step) if isinstance(step, str) else self._items())
        return SpecPlace(found) if found else None

    def _models(self) -> Iterator[type[BaseModel]]:
        return (one for one in self._types if isinstance(one, type) and issubclass(one, BaseModel))

    def _fields(self, name: str) -> Iterator[Any]:
        return (model.model_fields[name].annotation for model in self._models() if name in model.model_fields)

    def _items(self) -> Iterator[Any]:
        for one in self._types:
            if get_origin(one) in (tuple, list):
                yield get_args(one)[0]
            elif one is Any:
                yield Any


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows, None left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from _alternatives(one)
    elif annotation is not types.NoneType:
        yield annotation


def _values(found: Sequence[Any]) -> Values:
    kinds = frozenset(kind for one in found for kind in _kinds(one))
    if all(get_origin(one) is Literal for one in found):
        return Values(kinds, frozenset(word for one in found for word in get_args(one)))
    return Values(kinds)


def _kinds(one: Any) -> Iterator[Kind]:
    if one is Any:
        yield from (SCALAR | {Kind.LIST}) - {Kind.TIME}
    elif get_origin(one) is Literal:
        yield from {_KINDS[type(word)] for word in get_args(one)}
    elif get_origin(one) in (tuple, list):
        yield Kind.LIST
    elif one in _KINDS:
        yield _KINDS[one]
    else:
        yield Kind.OBJECT
