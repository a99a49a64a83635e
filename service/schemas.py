"""What goes over the wire: the request of an experiment and the answers."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Tag = Annotated[str, Field(max_length=500)]
TagName = Annotated[str, Field(min_length=1, max_length=100)]
Item = TypeVar("Item")
RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Values = Annotated[list[Any], Field(description="Values of one field.")]


class ExperimentRequest(BaseModel):
    """An experiment: one run, or a sweep over runs that share a base."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(max_length=200)] = ""
    tags: Annotated[dict[TagName, Tag], Field(max_length=50)] = {}
    run: Annotated[dict[str, Any], Field(description="A RunSpec; fields that the sweep sets may be left out.")]
    sweep: Annotated[
        list[dict[str, Values]],
        Field(max_length=100, description="Axes to cross; the keys of one axis are dotted paths that move together."),
    ] = []


class RunCounts(BaseModel):
    """How many runs are in which status."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


class Experiment(BaseModel):
    """An experiment as it stands."""

    id: str
    name: str
    tags: dict[str, str]
    status: RunStatus
    created_at: datetime
    runs: RunCounts


class ExperimentDetail(Experiment):
    """An experiment with what was posted."""

    run: dict[str, Any]
    sweep: list[dict[str, list[Any]]]


class Cost(BaseModel):
    """What an experiment may take at most; runs that stop by their loss take less."""

    max_steps: int
    max_points: int
    max_multiply_adds: int


class DryRun(BaseModel):
    """What an experiment would be; nothing was stored."""

    runs: int
    cost: Cost


class Run(BaseModel):
    """A run as it stands; `summary` holds the last value of every metric that applies to it."""

    id: str
    experiment_id: str
    index: int
    status: RunStatus
    outcome: Literal["converged", "budget_exhausted", "diverged"] | None
    step: int
    spec: dict[str, Any]
    summary: dict[str, Any]
    engine: str | None
    device: str | None
    steps_per_second: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class Trajectory(BaseModel):
    """Recorded points as columns of equal length, by ascending step."""

    run_id: str
    columns: dict[str, list[Any]]
    points: int
    thinned: bool


class PresetSummary(BaseModel):
    """A preset in the list."""

    name: str
    title: str
    about: str
    figure: Annotated[str, Field(description="The figure that shows it, by its name in paths.")]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the cursor of the following page."""

    items: list[Item]
    next: str | None


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
