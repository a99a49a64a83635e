"""Conversion of a posted experiment into checked run specs."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from service.errors import FieldError, InvalidPayload, json_pointer
from service.limits import exceeded, first_violation
from service.schemas import ExperimentRequest
from service.settings import Limits
from service.use_cases.field_errors import pointer_into_run, request_errors, run_errors, unsafe_value
from service.use_cases.repeated_keys import check_keys
from workers.runs.precisions import rounded_away
from workers.runs.seeds import with_spelled_seeds
from workers.runs.spec import RunSpec
from workers.runs.sweeps import SweepError, SweptRun, check_sweep, count_runs, expand

Body = TypeVar("Body", bound=BaseModel)


def parse_request(body: bytes) -> ExperimentRequest:
    """The request in a body; raises the InvalidPayload of `parse_body`."""
    return parse_body(ExperimentRequest, body, _with_spelled_seeds)


def _with_spelled_seeds(request: ExperimentRequest) -> ExperimentRequest:
    spelled = {"run": with_spelled_seeds(request.run), "sweep": with_spelled_seeds(request.sweep)}
    return request.model_copy(update=spelled)


def parse_body(model: type[Body], body: bytes, prepare: Callable[[Body], Body] = lambda parsed: parsed) -> Body:
    """A body as an instance of a model.

    Args:
        prepare: what is done to the instance before its numbers are checked.

    Raises:
        InvalidPayload: not JSON, not of the model's form, an object with a key twice, or a number or character that
            some JSON readers or databases would change.
    """
    posted = _parsed(lambda: model.model_validate_json(body))
    check_keys(body, {name: getattr(posted, name) for name in posted.model_fields_set})
    parsed = prepare(posted)
    for name in model.model_fields:
        if mistake := unsafe_value(getattr(parsed, name), (name,)):
            raise InvalidPayload([mistake])
    return parsed


def parse_value(model: type[Body], value: Any) -> Body:
    """JSON values as an instance of a model; raises InvalidPayload."""
    return _parsed(lambda: model.model_validate(value))


def _parsed(parse: Callable[[], Body]) -> Body:
    try:
        return parse()
    except ValidationError as error:
        raise InvalidPayload(request_errors(error)) from None


def parse_runs(request: ExperimentRequest, limits: Limits) -> list[RunSpec]:
    """The checked specs of all runs of a request.

    Raises:
        InvalidPayload: the sweep cannot be expanded, or a run's spec is wrong or above a limit.
    """
    try:
        check_sweep(request.sweep)
        _check_size(request, limits)
        return [_parse_run(swept, request.run, limits) for swept in expand(request.run, request.sweep)]
    except SweepError as error:
        raise InvalidPayload([FieldError(json_pointer(("sweep", *error.pointer)), str(error))]) from None


def _check_size(request: ExperimentRequest, limits: Limits) -> None:
    runs = count_runs(request.sweep)
    if runs > limits.max_runs_per_experiment:
        detail = exceeded("The runs of this sweep are", runs, limits, "max_runs_per_experiment")
        raise InvalidPayload([FieldError("/sweep", detail)])
    if (size := runs * _largest_spec(request)) > limits.max_spec_bytes_per_experiment:
        detail = exceeded("The bytes of all specs of this sweep are", size, limits, "max_spec_bytes_per_experiment")
        raise InvalidPayload([FieldError("/sweep", detail)])


def _largest_spec(request: ExperimentRequest) -> int:
    """Upper bound on the bytes of a spec after expansion."""
    swept = (max(len(orjson.dumps(value)) for value in values) for axis in request.sweep for values in axis.values())
    return len(orjson.dumps(request.run)) + sum(swept)


def _parse_run(swept: SweptRun, posted: Mapping[str, Any], limits: Limits) -> RunSpec:
    try:
        spec = RunSpec.model_validate(swept.spec)
    except ValidationError as error:
        raise InvalidPayload(run_errors(error, swept, posted)) from None
    if violation := first_violation(spec, limits) or rounded_away(spec):
        path, detail = violation
        raise InvalidPayload([FieldError(pointer_into_run(path, swept, posted), detail)])
    return spec.settled()
