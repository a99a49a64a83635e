"""Rows of runs: new rows from specs, and stored rows for use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from service.store.spec_columns import NAMED_COLUMNS, column_values
from service.values.ids import new_id
from service.values.specs import parse_spec
from workers.runs.costs import batch_numbers, most_multiply_adds
from workers.runs.engines import batch_key
from workers.runs.parts import WholeSpec
from workers.runs.reading import Splitter
from workers.runs.spec import RunSpec

SEED_COLUMN = NAMED_COLUMNS["seed"]


@dataclass(frozen=True)
class RunRow:
    """A stored run with its summary and its experiment's id and tags.

    `row[name]` is a column of `runs`, or with the prefix `summary_` or `experiment_` of the summary or experiment.

    Attributes:
        resolved: the spec as JSON values, defaults filled in.
    """

    columns: Mapping[Any, Any]
    resolved: WholeSpec

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]

    @property
    def id(self) -> int:
        """The internal id."""
        return self.columns["id"]

    @property
    def public_id(self) -> str:
        """The id that clients see."""
        return self.columns["public_id"]

    @property
    def status(self) -> str:
        """The status, one of RUN_STATUSES."""
        return self.columns["status"]

    @property
    def outcome(self) -> str | None:
        """The `Outcome`; None before the end."""
        return self.columns["outcome"]

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return self.columns["step"]

    @cached_property
    def spec(self) -> RunSpec:
        """The spec."""
        return parse_spec(self.resolved)


@dataclass(frozen=True)
class NewRun:
    """A run to store, or to store anew.

    Attributes:
        values: of its row.
        parts: JSON of the long parts of its spec by digest, which are stored beside it.
    """

    values: dict[str, Any]
    parts: Mapping[str, str]


def new_run(spec: RunSpec, index: int, now: datetime, priority: int = 0, share: int = 0) -> dict[str, Any]:
    """Values of a new row of `runs` whose spec has no long parts; see `new_run_values`."""
    new = new_run_values(spec, now, priority, share)
    assert not new.parts
    return {"public_id": new_id(), "index": index, **new.values}


def new_run_values(
    spec: RunSpec, now: datetime, priority: int = 0, share: int = 0, splitter: Splitter | None = None
) -> NewRun:
    """What a new run has in common with all others of its spec.

    Args:
        priority: its experiment's.
        share: id of its experiment's API key.
        splitter: of all runs of the experiment.
    """
    scheduling = {
        "status": "queued",
        "created_at": now,
        "batch_key": str(batch_key(spec)),
        "numbers": batch_numbers(spec),
        "urgency": -priority,
        "share": share,
    }
    stored = spec_values(spec, splitter)
    return NewRun({**scheduling, **stored.values}, stored.parts)


def with_seed(values: Mapping[str, Any], spec: RunSpec, seed: int) -> dict[str, Any]:
    """Values of a row of `runs` with another seed, on which no other value depends.

    Args:
        values: of a row with the spec `spec`.
    """
    seeded = spec.model_copy(update={"seed": seed})
    dumped = seeded.model_dump(mode="json", include={"seed"})
    return {**values, "spec": {**values["spec"], **dumped}, "seed": SEED_COLUMN.value(seeded)}


def spec_values(spec: RunSpec, splitter: Splitter | None = None) -> NewRun:
    """What of a run follows from its spec: the spec in pieces, its columns, and its largest cost."""
    pieces = (splitter or Splitter()).split(spec)
    values = {
        "spec": pieces.stem,
        "parts": dict(pieces.places) or None,
        "max_multiply_adds": float(most_multiply_adds(spec)),
        **column_values(spec),
    }
    return NewRun(values, pieces.parts.texts)
