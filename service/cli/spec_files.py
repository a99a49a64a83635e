"""Experiments from files: YAML 1.2 or JSON as people write them, with the line of every mistake."""

import json
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from ruamel.yaml import YAMLError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from service.errors import RankwardError
from service.values.numbers import NON_FINITE
from service.values.yaml_texts import bounded_yaml, is_too_deep, plain_json

STANDARD_INPUT = Path("-")
MOST_VALUES = 2_000_000
MOST_CHARACTERS_FOR_LINES = 2_000_000
"""Longest JSON text that is read once more, as YAML, for the line of a mistake that the server has found."""

_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_YAML = "tag:yaml.org,2002:"
_JSON_TEXT = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?')

_TRUTHS = {"true": True, "false": False}
_REFUSED = {"set": "a set, and a list has an order: write a list", "binary": "binary data; write numbers or a text"}


class UnreadableSpec(RankwardError):
    """The spec cannot be read"""


class SpecFile:
    """An experiment in a file; `content` is what it says.

    Raises:
        UnreadableSpec: no such file, not text, not YAML or JSON, or a value that JSON cannot carry; says the line.
    """

    def __init__(self, path: Path) -> None:
        self._name = "standard input" if path == STANDARD_INPUT else str(path)
        self._values_left, self._is_json = MOST_VALUES, False
        self._source = self._decoded(_read(path))
        plain = _plain_object(self._source)
        self.content: dict[str, Any] = self._checked_content() if plain is None else plain

    def _checked_content(self) -> dict[str, Any]:
        """The content, node by node: for YAML, and for the line of what is wrong with JSON."""
        if not isinstance(self._root, MappingNode):
            kind = "a list" if isinstance(self._root, SequenceNode) else "a single value"
            raise UnreadableSpec(f"{self._name} holds {kind}; an experiment is an object with `run` in it.")
        try:
            checked = self._value(self._root)
        except RecursionError:
            raise UnreadableSpec(f"{self._name} is nested too deep, or contains itself.") from None
        return json.loads(self._source) if self._is_json else checked

    @cached_property
    def _root(self) -> Node:
        return self._composed(self._source)

    def location(self, pointer: str) -> str:
        """A JSON pointer with the line of the file that it points at, or of the object in which something is absent.

        Lines of plain JSON beyond MOST_CHARACTERS_FOR_LINES are not looked for.
        """
        if "_root" not in self.__dict__ and len(self._source) > MOST_CHARACTERS_FOR_LINES:
            return f"{self._name}: {pointer or '/'}"
        node, line = self._root, self._root.start_mark.line
        for step in pointer.split("/")[1:]:
            key, below = _below(node, step.replace("~1", "/").replace("~0", "~"))
            if below is None:
                break
            node, line = below, (key or below).start_mark.line
        return f"{self._name}, line {line + 1}: {pointer or '/'}"

    def _decoded(self, content: bytes) -> str:
        encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            shown = content[error.start]
            raise UnreadableSpec(
                f"{self._name}, line {line}: the byte 0x{shown:02x} is not UTF-8 (in Latin-1 it would be "
                f"{bytes([shown]).decode('latin-1')!r}); save the file as UTF-8."
            ) from None
        if not text.strip():
            raise UnreadableSpec(f"{self._name} is empty; write an experiment, such as `rankward presets` has.")
        return text

    def _composed(self, text: str) -> Node:
        if text.lstrip().startswith(("{", "[")):
            text = self._checked_json(text)
        try:
            node = bounded_yaml(MOST_VALUES, aliases=True).compose(text)
        except MarkedYAMLError as error:
            raise UnreadableSpec(self._explained(error)) from None
        except RecursionError:
            raise UnreadableSpec(f"{self._name} is nested too deep.") from None
        except (YAMLError, ValueError) as error:
            line = _line_of_reader(error, text)
            raise UnreadableSpec(f"{self._name}{line}: neither YAML nor JSON: {_first_line(error)}.") from None
        if node is None:
            raise UnreadableSpec(f"{self._name} holds nothing but comments; write an experiment.")
        return node

    def _checked_json(self, text: str) -> str:
        """JSON as YAML reads it, line by line the same; what is not JSON may be YAML.

        It gets escapes for the letters that YAML lacks, and no tabs. A `?` marks each name: without it, YAML 1.2
        (section 7.4.2) allows names of 1024 characters, with their colon on the same line.
        """
        try:
            json.loads(text, parse_int=str)
        except json.JSONDecodeError as error:
            if self._name.endswith(".json"):
                raise UnreadableSpec(f"{self._name}, line {error.lineno}, column {error.colno}: {error.msg}.") from None
            return text
        except RecursionError:
            raise UnreadableSpec(f"{self._name} is nested too deep.") from None
        self._is_json = True
        text = _JSON_TEXT.sub(_marked_name, text.replace("\t", " "))
        return "".join(
            letter if letter.isprintable() or letter in "\r\n" else json.dumps(letter)[1:-1] for letter in text
        )

    def _explained(self, error: MarkedYAMLError) -> str:
        mark = error.problem_mark or error.context_mark
        position = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = ", ".join(part.strip() for part in (error.context, error.problem) if part) or "it cannot be read"
        return f"{self._name}{position}: neither YAML nor JSON: {said}."

    def _value(self, node: Node) -> Any:
        self._values_left -= 1
        if self._values_left < 0:
            raise UnreadableSpec(f"{self._name} stands for more than {MOST_VALUES:,} values.")
        kind = str(node.tag).removeprefix(_YAML)
        if kind in _REFUSED:
            raise self._refused(node, f"this is {_REFUSED[kind]}.")
        if isinstance(node, MappingNode) and kind == "map":
            return self._object(node)
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self._value(part) for part in node.value]
        if isinstance(node, ScalarNode):
            return self._scalar(node, kind)
        raise self._refused(node, f"nothing here knows the tag {kind!r}; leave it out.")

    def _object(self, node: MappingNode) -> dict[str, Any]:
        content: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, part in node.value:
            if str(key.tag) == f"{_YAML}merge":
                for parent in part.value if isinstance(part, SequenceNode) else [part]:
                    if not isinstance(parent, MappingNode):
                        raise self._refused(part, "`<<` takes in objects alone.")
                    merged = {**self._object(parent), **merged}
                continue
            if not isinstance(key, ScalarNode):
                raise self._refused(key, "the names in an object are texts.")
            name = self._text(key, str(key.value))
            if name in content:
                raise self._refused(key, f"{name!r} stands in this object twice; keep one.")
            content[name] = self._value(part)
        return {**merged, **content}

    def _scalar(self, node: ScalarNode, kind: str) -> Any:
        text = str(node.value)
        match kind:
            case "null":
                return None
            case "bool" if text.lower() in _TRUTHS:
                return _TRUTHS[text.lower()]
            case "int":
                return self._number(node, int, text.replace("_", ""))
            case "float":
                return self._number(node, float, text.replace("_", "").lower())
            case "str" | "timestamp":  # a date stays the text that it is
                return self._text(node, text)
            case _:
                raise self._refused(node, f"{text[:40]!r} is nothing that the tag {kind!r} can stand before here.")

    def _number(self, node: Node, kind: type[int] | type[float], text: str) -> int | float:
        try:
            if kind is int:
                sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
                base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2].lower(), 10)
                return sign * int(digits, base)
            number = float(re.sub(r"\.(inf|nan)$", r"\1", text))
        except ValueError:
            raise self._refused(node, f"{text[:40]!r} is not a number that can be read.") from None
        if not isfinite(number):
            raise self._refused(node, f"{text!r} is no number that JSON can carry; write a finite one.")
        return number

    def _text(self, node: ScalarNode, text: str) -> str:
        if self._is_json and node.style is None and text in NON_FINITE:
            raise self._refused(node, f"{text!r} is no number that JSON can carry; write a finite one.")
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")  # JSON writes emoji as two escapes
        except UnicodeDecodeError:
            raise self._refused(node, "this text holds half of a surrogate pair, which no text has.") from None

    def _refused(self, node: Node, why: str) -> UnreadableSpec:
        return UnreadableSpec(f"{self._name}, line {node.start_mark.line + 1}: {why}")


def _read(path: Path) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    if path.is_dir():
        raise UnreadableSpec(f"{path} is a folder; name a file.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableSpec(f"{path}: {error.strerror}.") from None


def _plain_object(text: str) -> dict[str, Any] | None:
    """The object of a JSON text, at the speed of JSON; None where the text needs a closer look."""
    if not text.lstrip().startswith("{") or is_too_deep(text):
        return None
    try:
        content = plain_json(text)
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()  # no overflow, no half of a surrogate pair
    except (ValueError, RecursionError):
        return None
    return content


def _below(node: Node, step: str) -> tuple[Node | None, Node | None]:
    """The key (of an object) and the node under a step of a pointer; None where there is none."""
    if isinstance(node, MappingNode):
        return next(((key, part) for key, part in _entries(node) if str(key.value) == step), (None, None))
    if isinstance(node, SequenceNode) and step.isdecimal() and int(step) < len(node.value):
        return None, node.value[int(step)]
    return None, None


def _entries(node: MappingNode) -> Iterator[tuple[Node, Node]]:
    """An object's names and values, then those that it takes in."""
    for key, part in node.value:
        if str(key.tag) != f"{_YAML}merge":
            yield key, part
    for key, part in node.value:
        if str(key.tag) == f"{_YAML}merge":
            for parent in part.value if isinstance(part, SequenceNode) else [part]:
                if isinstance(parent, MappingNode):
                    yield from _entries(parent)


def _marked_name(text: re.Match[str]) -> str:
    return f"? {text[1]}{text[2]} " if text[2] else text[0]


def _line_of_reader(error: Exception, text: str) -> str:
    position = getattr(error, "position", None)
    return "" if position is None else f", line {text.count(chr(10), 0, position) + 1}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
