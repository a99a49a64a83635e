"""Specs as text that people edit: YAML 1.2, of which JSON is a part."""

import sys
from io import StringIO
from typing import Any

import orjson
from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.representer import SafeRepresenter

from service.errors import FieldError, InvalidPayload
from service.values.visible import visible, visible_lines
from service.values.widths import blanks_under
from service.values.yaml_texts import (
    NotPlain,
    TooManyValues,
    UnwantedAlias,
    bounded_yaml,
    is_too_deep,
    plain_json,
)

MOST_CHARACTERS = 200_000
"""Largest text of the form; longer ones are for the API."""

MOST_VALUES = 10_000
"""Most values of a text that is read as YAML, which takes about 0.1 ms for each. JSON takes a hundredth of that."""

MOST_SHOWN = 24
"""Values of a list that are shown in full."""

_WIDTH = 100


def to_yaml(value: Any) -> str:
    """A value as YAML, what is innermost in one line each."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer, yaml.Emitter = _Visibly, _Unfolded
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = None, _WIDTH, True
    setattr(yaml, "sort_base_mapping_type_on_output", False)  # noqa: B010 typed as None by the library
    out = StringIO()
    yaml.dump(value, out)
    return visible_lines(out.getvalue())


class _Visibly(SafeRepresenter):
    """Puts texts with characters that nobody can see into quotes, where YAML has the escapes that `visible` makes."""

    def represent_visibly(self, text: str) -> Any:
        """A text; see the class."""
        is_hidden = any(visible(line) != line for line in text.split("\n"))
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if is_hidden else None)

    def ignore_aliases(self, data: Any) -> bool:
        """Write a list that stands in two places twice."""
        return True


_Visibly.add_representer(str, _Visibly.represent_visibly)
_Visibly.add_multi_representer(dict, SafeRepresenter.represent_dict)  # specs that were put together


class _Unfolded(Emitter):
    """Leaves texts on one line: the library breaks some of them so that they are read back as others."""

    def process_scalar(self) -> None:
        width, self.best_width = self.best_width, sys.maxsize
        super().process_scalar()
        self.best_width = width


def to_text(value: Any) -> str:
    """A value as the form shows it: as YAML, or as JSON if it has more values than the form takes as YAML.

    Raises:
        InvalidPayload: it is longer than the form takes.
    """
    as_json = orjson.dumps(value).decode()
    _check_length(as_json)
    return as_json if as_json.count(",") > MOST_VALUES / 2 else to_yaml(value)


def abridged(value: Any) -> Any:
    """A value to look at: of a long list, how it begins and how it ends."""
    if isinstance(value, dict):
        return {key: abridged(part) for key, part in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) <= MOST_SHOWN:
        return [abridged(part) for part in value]
    ends = [abridged(part) for part in (*value[: MOST_SHOWN // 2], *value[-2:])]
    return [*ends[:-2], f"\u2026 {len(value) - len(ends)} more \u2026", *ends[-2:]]


def from_text(text: str) -> Any:
    """The value that a text stands for; JSON is read as JSON, and everything else as YAML.

    Raises:
        InvalidPayload: neither, or too much of it; points at the line.
    """
    _check_length(text)
    try:
        if text.lstrip()[:1] in ("{", "["):
            return _from_json(text)
    except (ValueError, RecursionError):
        pass  # a flow of YAML, or a mistake whose line the reader of YAML says
    return _from_yaml(text)


def _check_length(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        detail = f"The text has {len(text):,} characters, more than the {MOST_CHARACTERS:,} that this form takes."
        raise InvalidPayload([FieldError("", f"{detail} Send it to POST /v1/experiments.")])


def _from_json(text: str) -> Any:
    if is_too_deep(text):
        raise NotPlain
    return plain_json(text)


def _from_yaml(text: str) -> Any:
    try:
        return bounded_yaml(MOST_VALUES, aliases=False).load(text)
    except YAMLError as error:
        raise InvalidPayload([_where(text, error)]) from None
    except (ValueError, RecursionError):
        raise InvalidPayload([FieldError("", "This is neither YAML nor JSON.")]) from None


def _advice(error: MarkedYAMLError) -> str:
    """What to do beside looking at the line."""
    match error:
        case TooManyValues():
            return " Write it as JSON, which takes more, or send it to POST /v1/experiments."
        case UnwantedAlias():
            return " Write it out: this form takes no YAML aliases."
        case _:
            return ""


def _where(text: str, error: YAMLError) -> FieldError:
    """The line of a mistake, with a caret below its place."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return FieldError("", "This is neither YAML nor JSON.")
    mark, lines = error.problem_mark, text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    detail = f"Line {mark.line + 1}: {error.problem or 'not YAML'}.{_advice(error)}"
    return FieldError("", detail, mark.index, f"{line}\n{blanks_under(line[: mark.column])}^")
