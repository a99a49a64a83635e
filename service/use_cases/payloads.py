"""From a posted experiment to checked run specs, with every mistake pointed at in the payload itself."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.errors import FieldError, InvalidPayload, json_pointer
from service.limits import exceeded, first_violation
from service.schemas import ExperimentRequest
from service.settings import Limits
from workers.specs import RunSpec
from workers.sweeps import SweepError, SweptRun, check_sweep, count_runs, expand

MOST_ERRORS = 20
"""Mistakes reported at once."""

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


def parse_request(body: bytes) -> ExperimentRequest:
    """The request in a body.

    Raises:
        InvalidPayload: not JSON, or not of the request's form.
    """
    try:
        return ExperimentRequest.model_validate_json(body)
    except ValidationError as error:
        raise InvalidPayload([_field_error(one, ()) for one in error.errors()[:MOST_ERRORS]]) from None


def parse_runs(request: ExperimentRequest, limits: Limits) -> list[RunSpec]:
    """The checked spec of every run of a request.

    Raises:
        InvalidPayload: the sweep cannot be expanded, or a run's spec is wrong or above a limit.
    """
    try:
        check_sweep(request.sweep)
        _check_size(request, limits)
        return [_parse_run(swept, limits) for swept in expand(request.run, request.sweep)]
    except SweepError as error:
        raise InvalidPayload([FieldError(json_pointer(("sweep", *error.pointer)), str(error))]) from None


def _check_size(request: ExperimentRequest, limits: Limits) -> None:
    if (runs := count_runs(request.sweep)) > limits.max_runs_per_experiment:
        detail = exceeded("The runs of this sweep are", runs, limits, "max_runs_per_experiment")
        raise InvalidPayload([FieldError("/sweep", detail)])


def _parse_run(swept: SweptRun, limits: Limits) -> RunSpec:
    try:
        spec = RunSpec.model_validate(swept.spec)
    except ValidationError as error:
        raise InvalidPayload([_run_error(one, swept) for one in error.errors()[:MOST_ERRORS]]) from None
    if violation := first_violation(spec, limits):
        path, detail = violation
        raise InvalidPayload([FieldError(_pointer_into_run(path, swept), detail)])
    return spec


def _run_error(error: ErrorDetails, swept: SweptRun) -> FieldError:
    path = _without_tags((*error["loc"], *_misfit_path(error)), swept.spec)
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, "kind")
    return FieldError(_pointer_into_run(path, swept), _advice(error))


def _field_error(error: ErrorDetails, lead: tuple[str | int, ...]) -> FieldError:
    return FieldError(json_pointer((*lead, *error["loc"])), _advice(error))


def _advice(error: ErrorDetails) -> str:
    if error["type"] == "json_invalid":
        return f"The body is not JSON: {error['ctx']['error']}." if "ctx" in error else error["msg"]
    return _ADVICE.get(error["type"], error["msg"])


def _misfit_path(error: ErrorDetails) -> Sequence[str | int]:
    return error.get("ctx", {}).get("pointer", ())


def _without_tags(path: Sequence[str | int], spec: Any) -> tuple[str | int, ...]:
    """pydantic puts the kind chosen from a union into the path; the payload has no such level."""
    kept: list[str | int] = []
    here = spec
    for position, part in enumerate(path):
        is_tag = isinstance(here, dict) and here.get("kind") == part and part not in here
        if is_tag and position < len(path):
            continue
        kept.append(part)
        here = _step_into(here, part)
    return tuple(kept)


def _step_into(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _pointer_into_run(path: Sequence[str | int], swept: SweptRun) -> str:
    """Where the value at a path of the spec stands in the payload: in the sweep if an axis set it, else in the run."""
    for swept_path, (axis, key, position) in swept.origins.items():
        parts = swept_path.split(".")
        if [str(part) for part in path[: len(parts)]] == parts:
            return json_pointer(("sweep", axis, key, position, *path[len(parts) :]))
    return json_pointer(("run", *path))
