"""Fields: what a query can name, and of which kinds its values are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Path = tuple[str | int, ...]


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    INTEGER = "an integer"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    TIME = "a time"
    LIST = "a list"
    OBJECT = "an object"


NUMERIC = frozenset({Kind.INTEGER, Kind.NUMBER})
SCALAR = frozenset(Kind) - {Kind.LIST, Kind.OBJECT}


@dataclass(frozen=True)
class Values:
    """What may stand at one place.

    Attributes:
        kinds: of which kinds its values are; spec fields of several problems or models may have more than one.
        words: the texts there are, None when any text may stand there.
    """

    kinds: frozenset[Kind]
    words: frozenset[str] | None = None

    @property
    def said(self) -> str:
        """The kinds in words."""
        if self.words:
            return "one of " + ", ".join(repr(word) for word in sorted(self.words))
        return " or ".join(sorted(self.kinds))


@dataclass(frozen=True)
class Field:
    """One place in a run or an experiment.

    Attributes:
        name: as it was asked for; heads its column in tables.
        path: keys and positions that lead to it in the JSON object of a run or an experiment.
    """

    name: str
    path: Path
    values: Values

    @property
    def kind(self) -> Kind:
        """The one kind of its column in a table; text (JSON) where there are several."""
        kinds = self.values.kinds
        if len(kinds) == 1:
            return next(iter(kinds))
        return Kind.NUMBER if kinds <= NUMERIC else Kind.OBJECT


class Place:
    """A node of a catalogue: the values that stand there, and the places below it."""

    def __init__(self, values: Values, below: "Mapping[str, Place] | None" = None) -> None:
        self.values = values
        self._below = below or {}

    def names(self) -> Sequence[str]:
        """Names of the places below that are known."""
        return list(self._below)

    def below(self, step: str | int) -> "Place | None":
        """The place one step further, None when there is none."""
        return self._below.get(step) if isinstance(step, str) else None


class Open(Place):
    """An object whose keys are not known, or a list: everything below is alike."""

    def __init__(self, values: Values, inside: Place, by: type[str] | type[int]) -> None:
        super().__init__(values)
        self._inside = inside
        self._by = by

    def below(self, step: str | int) -> Place | None:
        return self._inside if isinstance(step, self._by) else None


def leaf(*kinds: Kind, words: Sequence[str] | None = None) -> Place:
    """A place with nothing below."""
    return Place(Values(frozenset(kinds), None if words is None else frozenset(words)))


def any_object(below: Mapping[str, Any]) -> Place:
    """An object of known keys."""
    return Place(Values(frozenset({Kind.OBJECT})), below)
