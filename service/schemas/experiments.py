"""Experiments as they are answered, and what they cost."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from service.values.statuses import RunStatus


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
    priority: int
    status: RunStatus
    created_at: datetime
    runs: RunCounts


class ExperimentDetail(Experiment):
    """An experiment with what was posted."""

    run: dict[str, Any]
    sweep: list[dict[str, list[Any]]]


class Cost(BaseModel):
    """What an experiment may take at most; runs that stop by their loss take less.

    Flows choose their own steps, so only their time and their points can be said before.
    """

    max_steps: int
    max_time: Annotated[float, Field(description="Time to integrate, over all gradient flows.")]
    max_points: int
    max_snapshot_bytes: Annotated[int, Field(description="Bytes of the factors kept by `record.factors`.")]
    max_multiply_adds: int


class DryRun(BaseModel):
    """What an experiment would be; nothing was stored."""

    runs: int
    cost: Cost


class ExperimentSize(BaseModel):
    """What an experiment holds, and about how many bytes that takes in the database."""

    experiment_id: str
    runs: int
    points: int
    bytes: int


class Imported(BaseModel):
    """An experiment of an archive, as it is stored now."""

    experiment: Experiment
    is_new: Annotated[bool, Field(description="Whether this import stored it; if not, it was there already.")]
    renamed_runs: Annotated[int, Field(description="Runs with new ids, since other runs have those of the archive.")]
