"""What MLflow keeps of a run, as names and plain values: parameters, numbers of metrics, tags."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

Json = dict[str, Any]
RUN_TAG, EXPERIMENT_TAG, STATE_TAG = "rankward.run_id", "rankward.experiment_id", "rankward.state"
LONGEST_PARAMETER = 6000
"""Characters that MLflow takes of a value; longer ones stand in run.json alone."""
STATUSES = {
    "queued": "SCHEDULED",
    "running": "RUNNING",
    "succeeded": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
}
_OF_TAGS = ("outcome", "engine", "device", "steps_per_second", "error", "computed_with")


def state(run: Json) -> str:
    """What changes when a run goes on."""
    return f"{run['status']} at step {run['step']}"


def tags(run: Json) -> dict[str, str]:
    """What is known of a run beside its spec and its numbers."""
    known = {name: run[name] for name in _OF_TAGS}
    return {RUN_TAG: run["id"], EXPERIMENT_TAG: run["experiment_id"], **dict(parameters(known))}


def parameters(spec: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Fields of a spec by dotted paths; what is no object is one value, lists as JSON; no nulls, none too long."""
    for key, value in spec.items():
        if isinstance(value, Mapping):
            yield from parameters(value, f"{path}{key}.")
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        if value is not None and len(text) <= LONGEST_PARAMETER:
            yield name(f"{path}{key}"), text


def numbers(of: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a value by their names; parts of vectors and of objects after a dot, without nulls."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from numbers(f"{of}.{key}", part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from numbers(f"{of}.{index}", part)
    elif value is not None and not isinstance(value, bool):
        yield name(of), float(value)  # what is not finite comes as a text


def name(text: str) -> str:
    """A name of nothing but letters that MLflow takes."""
    return "".join(letter if letter.isalnum() or letter in "_-. /:" else "_" for letter in text)


def milliseconds(moment: str) -> int:
    """A moment of ISO 8601 as MLflow counts it."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
