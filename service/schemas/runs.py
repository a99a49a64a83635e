"""Runs, their trajectories and their factors."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from service.values.statuses import RunStatus


class ComputedWith(BaseModel):
    """With what a run was computed: equal specs give equal bits where all of this, engine and device are equal."""

    rankward: str
    python: str
    numpy: str
    torch: str
    warp: str
    processor: Annotated[str, Field(description="Model of the processor.")]
    instructions: Annotated[str, Field(description="Widest vector instructions that torch uses on it.")]
    gpu: Annotated[str | None, Field(description="Model of the GPU that the run was computed on.")]


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
    computed_with: Annotated[
        ComputedWith | None,
        Field(description="Of its last slice; null before its first, and of runs of earlier versions."),
    ]
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


class FactorSteps(BaseModel):
    """The steps of which a run has a snapshot of its factors, ascending; of a flow, the numbers of points."""

    run_id: str
    steps: list[int]


class Trajectories(BaseModel):
    """The trajectories of many runs; those without points are left out."""

    items: list[Trajectory]
