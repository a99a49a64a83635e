"""Specs as text that people edit: YAML 1.2, of which JSON is a part."""

import sys
from io import StringIO
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.representer import SafeRepresenter

from service.errors import FieldError, InvalidPayload
from service.values.visible import visible, visible_lines
from service.values.widths import blanks_under

MOST_CHARACTERS = 200_000
"""Of a text that is read as YAML, which takes a hundred times as long as JSON; longer ones are for the API."""

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


_Visibly.add_representer(str, _Visibly.represent_visibly)


class _Unfolded(Emitter):
    """Leaves texts on one line: the library breaks some of them so that they are read back as others."""

    def process_scalar(self) -> None:
        width, self.best_width = self.best_width, sys.maxsize
        super().process_scalar()
        self.best_width = width


def abridged(value: Any) -> Any:
    """A value to look at: of a long list, how it begins and how it ends."""
    if isinstance(value, dict):
        return {key: abridged(one) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) <= MOST_SHOWN:
        return [abridged(one) for one in value]
    ends = [abridged(one) for one in (*value[: MOST_SHOWN // 2], *value[-2:])]
    return [*ends[:-2], f"\u2026 {len(value) - len(ends)} more \u2026", *ends[-2:]]


def from_text(text: str) -> Any:
    """The value that a text stands for.

    Raises:
        InvalidPayload: not YAML, or too much of it; points at the line.
    """
    if len(text) > MOST_CHARACTERS:
        detail = f"The text has {len(text):,} characters, more than the {MOST_CHARACTERS:,} that this form takes."
        raise InvalidPayload([FieldError("", f"{detail} Send it to POST /v1/experiments.")])
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
            raise InvalidPayload([FieldError("", "Write it out: this form takes no YAML aliases (*name).")])
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise InvalidPayload([_where(text, error)]) from None
    except (ValueError, RecursionError):
        raise InvalidPayload([FieldError("", "This is neither YAML nor JSON.")]) from None


def _where(text: str, error: YAMLError) -> FieldError:
    """The line of a mistake, with a caret below its place."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return FieldError("", "This is neither YAML nor JSON.")
    mark, lines = error.problem_mark, text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    detail = f"Line {mark.line + 1}: {error.problem or 'not YAML'}."
    return FieldError("", detail, mark.index, f"{line}\n{blanks_under(line[: mark.column])}^")
