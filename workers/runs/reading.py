"""Runs of a sweep, checked: what they have in common is checked once."""

from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache
from pydantic import TypeAdapter, ValidationError

from workers.runs.problems import Problem
from workers.runs.spec import RunSpec, filled_in
from workers.runs.starts import Start

PARTS: dict[str, TypeAdapter[Any]] = {"problem": TypeAdapter(Problem), "init": TypeAdapter(Start)}
"""Parts of a run that may hold many numbers."""

MOST_PARTS = 256
"""Parts that are kept: those of the base, and the values of an axis."""


class RunReader:
    """Turns runs as JSON values into specs; a part that is the same object in several runs is checked once.

    The JSON values are not to be changed as long as the reader lives.
    """

    def __init__(self) -> None:
        self._kept: LRUCache[int, tuple[Any, Any]] = LRUCache(MOST_PARTS)

    def read(self, run: Mapping[str, Any]) -> RunSpec:
        """The spec of a run; raises pydantic.ValidationError."""
        run = filled_in(run)
        return RunSpec.model_validate({**run, **{name: self._part(name, run[name]) for name in PARTS if name in run}})

    def _part(self, name: str, value: Any) -> Any:
        """A checked part; a wrong one as it is, so that the run's errors say what is wrong."""
        kept = self._kept.get(id(value))
        if kept is not None:
            return kept[1]
        try:
            checked = PARTS[name].validate_python(value)
        except ValidationError:
            return value
        self._kept[id(value)] = value, checked  # holds the value, so that its id stays its own
        return checked
