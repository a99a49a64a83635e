"""Fields: the values that a query can name, with their kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Path = tuple[str | int, ...]


class Kind(StrEnum):
    """The kind of a value."""

    TEXT = "text"
    INTEGER = "an integer"
    NATURAL = "an integer of any size"  # and never negative, as seeds are
    NUMBER = "a number"
    BOOLEAN = "true or false"
    TIME = "a time"
    LIST = "a list"
    OBJECT = "an object"


NUMERIC = frozenset({Kind.INTEGER, Kind.NATURAL, Kind.NUMBER})
SCALAR = frozenset(Kind) - {Kind.LIST, Kind.OBJECT}


@dataclass(frozen=True)
class Values:
    """The possible values of a node.

    Attributes:
        kinds: kinds of the values; spec fields of several problems or models may have more than one.
        words: all permitted texts, None if any text is.
        spells_numbers: whether a text that spells a number is one beside numbers.
    """

    kinds: frozenset[Kind]
    words: frozenset[str] | None = None
    spells_numbers: bool = False

    @property
    def said(self) -> str:
        """The kinds in words."""
        if self.words:
            return "one of " + ", ".join(repr(word) for word in sorted(self.words))
        return " or ".join(sorted(self.kinds))


@dataclass(frozen=True)
class Field:
    """A named value in a run or an experiment.

    Attributes:
        name: as written in the query; heads its column in tables.
        path: keys and positions in the JSON object of a run or an experiment.
    """

    name: str
    path: Path
    values: Values

    @property
    def kind(self) -> Kind:
        """The kind of its column in a table; OBJECT (JSON text) for several kinds that are not all numeric.

        Of numbers beside objects, such as learning rates beside schedules, the numbers.
        """
        kinds = self.values.kinds
        if kinds - {Kind.OBJECT} and kinds - {Kind.OBJECT} <= NUMERIC:
            kinds -= {Kind.OBJECT}
        if len(kinds) == 1:
            return next(iter(kinds))
        return Kind.NUMBER if kinds <= NUMERIC else Kind.OBJECT


class Node:
    """A node of a catalogue: its values and its children."""

    def __init__(self, values: Values, below: "Mapping[str, Node] | None" = None) -> None:
        self.values = values
        self._below = below or {}

    def names(self) -> Sequence[str]:
        """Names of the children, as far as they are fixed."""
        return list(self._below)

    def below(self, step: str | int) -> "Node | None":
        """The child at a key or position, None without one."""
        return self._below.get(step) if isinstance(step, str) else None


class Open(Node):
    """An object with arbitrary keys, or a list; all children have the same node."""

    def __init__(self, values: Values, inside: Node, by: type[str] | type[int]) -> None:
        super().__init__(values)
        self._inside = inside
        self._by = by

    def below(self, step: str | int) -> Node | None:
        return self._inside if isinstance(step, self._by) else None


def leaf(*kinds: Kind, words: Sequence[str] | None = None) -> Node:
    """A node without children."""
    return Node(Values(frozenset(kinds), None if words is None else frozenset(words)))


def any_object(below: Mapping[str, Any]) -> Node:
    """A node of an object with fixed keys."""
    return Node(Values(frozenset({Kind.OBJECT})), below)
