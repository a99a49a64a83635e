"""Conversion of a posted experiment into checked run specs."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from service.errors import FieldError, InvalidPayload, json_pointer
from service.limits import exceeded
from service.processes.garbage import collector_paused
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store.database import Database
from service.use_cases.checked_runs import CheckedRuns
from service.use_cases.field_errors import request_errors, unsafe_value
from service.use_cases.repeated_keys import check_keys
from service.use_cases.run_starts import RunStarts
from workers.runs.parts import LEAST_PART_BYTES, split
from workers.runs.seeds import with_spelled_seeds
from workers.runs.sweeps import SweepError, check_sweep, count_runs

Body = TypeVar("Body", bound=BaseModel)

_SIGNS = (b"\\u0000", b"NaN", b"Inf")
_NUMBERS = (re.compile(rb"[^0-9.][0-9]{16}"), re.compile(rb"[0-9.][eE]\+?[0-9]{3}"))
"""Integers of 16 digits, and floats beyond 1e99."""


@dataclass(frozen=True)
class SpecSize:
    """Bytes of the specs of an experiment: of each run's, and of the long parts that runs share."""

    per_run: int
    shared: int

    def of_runs(self, runs: int) -> int:
        """Bytes of the specs of so many runs."""
        return runs * self.per_run + self.shared

    def with_starts(self, starts: RunStarts) -> "SpecSize":
        """The size with the factors of other runs filled in; long ones are stored once."""
        shared = 0 if starts.most_bytes < LEAST_PART_BYTES else starts.all_bytes
        return SpecSize(self.per_run + min(starts.most_bytes, LEAST_PART_BYTES), self.shared + shared)


def parse_request(body: bytes) -> ExperimentRequest:
    """The request in a body; raises the InvalidPayload of `parse_body`."""
    return parse_body(ExperimentRequest, body, _with_spelled_seeds)


def _with_spelled_seeds(request: ExperimentRequest) -> ExperimentRequest:
    spelled = {"run": with_spelled_seeds(request.run), "sweep": with_spelled_seeds(request.sweep)}
    return request.model_copy(update=spelled)


def parse_body(model: type[Body], body: bytes, prepare: Callable[[Body], Body] = lambda parsed: parsed) -> Body:
    """A body as an instance of a model.

    Args:
        prepare: what is done to the large numbers of an instance before its numbers are checked.

    Raises:
        InvalidPayload: not JSON, not of the model's form, an object with a key twice, or a number or character that
            some JSON readers or databases would change.
    """
    with collector_paused():
        posted = _parsed(lambda: model.model_validate_json(body))
    check_keys(body, {name: getattr(posted, name) for name in posted.model_fields_set})
    if not _may_be_unsafe(body):
        return posted
    parsed = prepare(posted)
    for name in model.model_fields:
        if mistake := unsafe_value(getattr(parsed, name), (name,)):
            raise InvalidPayload([mistake])
    return parsed


def _may_be_unsafe(body: bytes) -> bool:
    """False for most bodies in which `unsafe_value` finds nothing; takes a thousandth of its time."""
    return any(sign in body for sign in _SIGNS) or any(number.search(body) for number in _NUMBERS)


def parse_value(model: type[Body], value: Any) -> Body:
    """JSON values as an instance of a model; raises InvalidPayload."""
    return _parsed(lambda: model.model_validate(value))


def _parsed(parse: Callable[[], Body]) -> Body:
    try:
        return parse()
    except ValidationError as error:
        raise InvalidPayload(request_errors(error)) from None


def parse_runs(request: ExperimentRequest, limits: Limits, database: Database) -> CheckedRuns:
    """The runs of a request, each checked when it is read.

    Raises:
        InvalidPayload: the sweep cannot be expanded, or expands to too much.
    """
    try:
        check_sweep(request.sweep)
    except SweepError as error:
        raise InvalidPayload([FieldError(json_pointer(("sweep", *error.pointer)), str(error))]) from None
    runs = count_runs(request.sweep)
    if runs > limits.max_runs_per_experiment:
        detail = exceeded("The runs of this sweep are", runs, limits, "max_runs_per_experiment")
        raise InvalidPayload([FieldError("/sweep", detail)])
    check_size(runs, spec_size(request), limits)
    return CheckedRuns(request, limits, RunStarts(database, limits))


def check_size(runs: int, specs: SpecSize, limits: Limits) -> None:
    """Raise InvalidPayload where the specs of so many runs are too much for an experiment."""
    if (size := specs.of_runs(runs)) > limits.max_spec_bytes_per_experiment:
        detail = exceeded("The bytes of all specs of this sweep are", size, limits, "max_spec_bytes_per_experiment")
        raise InvalidPayload([FieldError("/sweep", detail)])


def spec_size(request: ExperimentRequest) -> SpecSize:
    """Upper bounds on the bytes of the specs of a request, as they are posted."""
    base = split(request.run)
    values = [[split({path: value}) for value in values] for axis in request.sweep for path, values in axis.items()]
    stems = sum(max(len(orjson.dumps(pieces.stem)) for pieces in axis) for axis in values)
    shared = sum(pieces.long_characters for pieces in (base, *chain.from_iterable(values)))
    return SpecSize(len(orjson.dumps(base.stem)) + stems, shared)
