"""Readers of YAML 1.2 and JSON at a cost that grows with the length of the text and no faster.

The reader goes through all open lists and objects at every token. A text of opening brackets alone would thus cost the
square of its length. A limit on the nesting, which holds while the text is read, bounds that walk.
"""

import json
import re
from functools import partial
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.scanner import Scanner

MOST_LEVELS = 64
"""Lists and objects inside each other, in a text that is read as YAML or JSON. A measurement of a tensor of order 12 in
a sweep takes 19."""

TOO_DEEP = f"lists and objects are nested too deep; nest at most {MOST_LEVELS} levels"

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_BRACKET = re.compile(r"[\[\]{}]")


class TooDeep(MarkedYAMLError):
    """Lists and objects are nested deeper than MOST_LEVELS."""


class TooManyValues(MarkedYAMLError):
    """The text has more values than its reader takes."""


class UnwantedAlias(MarkedYAMLError):
    """The text has an alias, and its reader takes none."""


class _Scanner(Scanner):
    """Scanner of tokens that stops at a nesting deeper than MOST_LEVELS."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 named by the library
        super().fetch_flow_collection_start(TokenClass, to_push)
        self._check_levels()

    def add_indent(self, column: int) -> bool:
        is_deeper = super().add_indent(column)
        if is_deeper:
            self._check_levels()
        return is_deeper

    def _check_levels(self) -> None:
        if self.flow_level + len(self.indents) > MOST_LEVELS:
            raise TooDeep(None, None, TOO_DEEP, self.reader.get_mark())


class _Composer(Composer):
    """Composer of nodes that counts them, and may refuse aliases."""

    def __init__(self, loader: Any, most_values: int, aliases: bool) -> None:
        super().__init__(loader)
        self._most_values = self._values_left = most_values
        self._aliases = aliases

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._values_left -= 1
        if self._values_left < 0:
            raise self._refusal(TooManyValues, f"there are more than {self._most_values:,} values")
        if not self._aliases and self.parser.check_event(AliasEvent):
            raise self._refusal(UnwantedAlias, "there is an alias (*name)")
        return super().compose_node(parent, index)

    def _refusal(self, kind: type[MarkedYAMLError], problem: str) -> MarkedYAMLError:
        return kind(None, None, problem, self.parser.peek_event().start_mark)


def bounded_yaml(most_values: int, aliases: bool) -> YAML:
    """A reader of one text whose cost is bounded by the text's length.

    It raises TooDeep, TooManyValues and UnwantedAlias beside the errors of every reader.

    Args:
        most_values: values that the text may hold, where each name in an object counts as a value.
        aliases: whether a value may stand for another value (`*name`).
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner, yaml.Composer = _Scanner, partial(_Composer, most_values=most_values, aliases=aliases)
    return yaml


def is_too_deep(json_text: str) -> bool:
    """Whether a text, if it is JSON, nests its lists and objects deeper than MOST_LEVELS."""
    level = 0
    for bracket in _BRACKET.findall(_STRING.sub("", json_text)):
        level += 1 if bracket in "[{" else -1
        if level > MOST_LEVELS:
            return True
    return False


class NotPlain(ValueError):
    """A JSON text holds a name twice in an object, or a number that is none."""


def plain_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        NotPlain: see there.
        ValueError, RecursionError: not JSON.
    """
    return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise NotPlain("a name stands in an object twice")
    return content


def _no_number(word: str) -> None:
    raise NotPlain(f"{word} is no number")
