"""Mistakes in a payload: pointers into the payload as posted, and sentences of advice."""

from collections.abc import Mapping, Sequence
from math import isfinite
from types import NoneType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.errors import FieldError, json_pointer
from service.queries.errors import excerpt
from workers.runs.base import LARGEST_INTEGER
from workers.runs.phases import with_whole_phases
from workers.runs.rates import NUMBER
from workers.runs.sweeps import SweptRun

Path = Sequence[str | int]

MOST_ERRORS = 20
"""Most mistakes in an answer."""

_ADVICE = {
    "extra_forbidden": "Unknown field; remove it or correct its spelling.",
    "missing": "This field is required.",
    "finite_number": "Give a finite number.",
    "union_tag_not_found": "Give its 'kind'.",
    "list_type": "Give a list.",
    "tuple_type": "Give a list.",
    "dict_type": "Give an object.",
    "model_type": "Give an object.",
    "model_attributes_type": "Give an object.",
    "int_type": "Give an integer.",
    "int_from_float": "Give an integer.",
    "float_type": "Give a number.",
    "bool_type": "Give true or false.",
    "string_type": "Give a string.",
}


def request_errors(error: ValidationError) -> list[FieldError]:
    """Mistakes in a request outside its run."""
    return [FieldError(json_pointer(_without_key_mark(mistake["loc"])), _advice(mistake)) for mistake in _first(error)]


def run_errors(error: ValidationError, swept: SweptRun, posted: Mapping[str, Any]) -> list[FieldError]:
    """Mistakes in a run of a sweep.

    Args:
        swept: the run after expansion of the sweep.
        posted: the run of the payload, before the sweep.
    """
    return [
        FieldError(pointer_into_run(_run_path(mistake, swept), swept, posted), _advice(mistake), *_in_text(mistake))
        for mistake in _first(error)
    ]


def _in_text(error: ErrorDetails) -> tuple[int | None, str | None]:
    """Where in a text of the spec a mistake stands, and the text around that character; None of each elsewhere."""
    context = error.get("ctx", {})
    if "position" not in context:
        return None, None
    return context["position"], excerpt(context["text"], context["position"])


def pointer_into_run(path: Path, swept: SweptRun, posted: Mapping[str, Any]) -> str:
    """JSON pointer to a spec's value in the payload: into the sweep if an axis set it, else into the run."""
    spec_path = [str(part) for part in path]
    for swept_path, (axis, key, position) in swept.origins.items():
        parts = swept_path.split(".")
        if spec_path[: len(parts)] == parts:
            return json_pointer(("sweep", axis, key, position, *path[len(parts) :]))
        if spec_path == parts[: len(spec_path)] and not _is_in(posted, path):
            return json_pointer(("sweep", axis, key))
    return json_pointer(("run", *path))


def unsafe_value(value: Any, path: Path) -> FieldError | None:
    """The first value in a payload that some JSON readers or databases would change."""
    if isinstance(value, list) and _are_safe_numbers(value):
        return None
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        errors = (unsafe_value(key, path) or unsafe_value(part, (*path, key)) for key, part in parts)
        return next((error for error in errors if error), None)
    if isinstance(value, str) and "\0" in value:
        return FieldError(json_pointer(path), "Leave out the NUL character (\\u0000); not every database can hold it.")
    if isinstance(value, float) and not isfinite(value):
        return FieldError(json_pointer(path), _ADVICE["finite_number"])
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        detail = f"Integers beyond {LARGEST_INTEGER} are not exact in JSON; where a float is meant, write one, as 1e30."
        return FieldError(json_pointer(path), detail)
    return None


def _are_safe_numbers(values: list[Any]) -> bool:
    """Whether a list is one of numbers, all of them safe, as most long lists are; at the speed of C."""
    if not values or not set(map(type, values)) <= {int, float}:
        return False
    return min(values) >= -LARGEST_INTEGER and max(values) <= LARGEST_INTEGER and all(map(isfinite, values))


def _first(error: ValidationError) -> list[ErrorDetails]:
    """The first mistakes, without defaults that pydantic skipped because of mistakes in other fields."""
    mistakes = [
        mistake
        for mistake in error.errors(include_url=False, include_input=False)
        if mistake["type"] != "default_factory_not_called"
    ]
    return mistakes[:MOST_ERRORS]


def _run_path(error: ErrorDetails, swept: SweptRun) -> Path:
    """The path of a mistake in the spec: pydantic's path, extended by that of a `misfit`, then by a wrong kind."""
    further = error.get("ctx", {}).get("pointer", ())
    kind = ("kind",) if error["type"] in ("union_tag_invalid", "union_tag_not_found") else ()
    return (*_without_tags((*error["loc"], *further), with_whole_phases(swept.spec)), *kind)


def _without_tags(path: Path, spec: Any) -> Path:
    """A path without the kinds and marks of numbers that pydantic adds for unions; the payload has no such levels."""
    kept: list[str | int] = []
    value = spec
    for part in path:
        if isinstance(value, dict) and value.get("kind") == part and part not in value:
            continue
        if part == NUMBER or (isinstance(part, str) and not isinstance(value, dict | NoneType)):
            continue  # which alternative a number or a list was read as
        kept.append(part)
        value = _step_into(value, part)
    return kept


def _without_key_mark(path: Path) -> Path:
    """A path without the last part by which pydantic marks a mistake in a key; the payload has no such part."""
    return path[:-1] if path[-1:] == ("[key]",) else path


def _step_into(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _is_in(posted: Any, path: Path) -> bool:
    value = posted
    for part in path:
        if not (isinstance(value, dict) and part in value) and _step_into(value, part) is None:
            return False
        value = _step_into(value, part)
    return True


def _advice(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "json_invalid":
            return f"The body is not JSON: {context.get('error')}."
        case "union_tag_invalid":
            return f"There is no kind {context['tag']!r} here; take one of {context['expected_tags']}."
        case "too_short":
            return f"Give at least {context['min_length']} items; these are {context['actual_length']}."
        case "too_long":
            return f"Give at most {context['max_length']} items."
        case kind:
            return _ADVICE.get(kind, error["msg"])
