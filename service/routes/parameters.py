"""Parameters that several routes take."""

from typing import Annotated

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

from service.exports.formats import FormatName
from service.use_cases.listing import ListQuery
from service.use_cases.trajectories import PointQuery
from service.values.statuses import RunStatus
from workers.runs.base import LARGEST_INTEGER

Accept = Annotated[str | None, Header(description="Media types that the client takes; `format` goes before it.")]
WHERE = "Which ones, e.g. `status = 'succeeded' AND model.depth >= 3 AND summary.loss < 1e-4`; see docs/queries.md."
ORDER_BY = "Fields to sort by, e.g. `summary.loss desc,created_at`; what is missing comes last."
_Step = Annotated[int | None, Field(ge=0, le=LARGEST_INTEGER)]
_Format = Annotated[FormatName | None, Field(description="The format; by the Accept header when left out.")]


class SortedParameters(BaseModel):
    """Query of a list."""

    model_config = ConfigDict(extra="forbid")

    where: Annotated[str | None, Field(description=WHERE)] = None
    order_by: Annotated[str | None, Field(description=ORDER_BY)] = None
    cursor: Annotated[str | None, Field(description="`next` of the page before; holds for the same query.")] = None


class ExperimentParameters(SortedParameters):
    """Query of a list of experiments."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100

    def query(self) -> ListQuery:
        """What is asked of the list."""
        return ListQuery(self.where, self.order_by, self.cursor)


class RunParameters(SortedParameters):
    """Query of a list of runs."""

    experiment_id: Annotated[str | None, Field(description="Only runs of this experiment.")] = None
    status: RunStatus | None = None
    fields: Annotated[
        str | None, Field(description="Only these fields, e.g. `id,model.depth,summary.loss`; all when left out.")
    ] = None
    limit: Annotated[
        int | None,
        Field(ge=1, le=LARGEST_INTEGER, description="Most runs; in JSON a page has 100 (at most 1000), else all come."),
    ] = None
    format: _Format = None

    def query(self) -> ListQuery:
        """What is asked of the list."""
        return ListQuery(self.where, self.order_by, self.cursor, self.experiment_id, self.status)


class RunQuery(RunParameters):
    """A list of runs asked for in a body: the query of GET /v1/runs."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PointParameters(BaseModel):
    """Query of points."""

    model_config = ConfigDict(extra="forbid")

    metrics: Annotated[str | None, Field(description="Names, separated by commas; all when left out.")] = None
    from_step: _Step = None
    to_step: _Step = None
    max_points: Annotated[
        int | None,
        Field(ge=2, le=LARGEST_INTEGER, description="Most points of each run; its extremes and both ends stay."),
    ] = None
    format: _Format = None

    def points(self) -> PointQuery:
        """What is asked of the points."""
        return PointQuery(self.metrics, self.from_step, self.to_step, self.max_points)


class FactorParameters(BaseModel):
    """Query of factors."""

    model_config = ConfigDict(extra="forbid")

    step: Annotated[_Step, Field(description="Of a snapshot; as they stand when left out.")] = None


class SelectedPointParameters(PointParameters):
    """Query of the points of many runs."""

    where: Annotated[str | None, Field(description=WHERE)] = None
    experiment_id: Annotated[str | None, Field(description="Only runs of this experiment.")] = None

    def runs(self) -> ListQuery:
        """Whose points are asked for."""
        return ListQuery(where=self.where, experiment_id=self.experiment_id)


class TrajectoryQuery(SelectedPointParameters):
    """Points of many runs asked for in a body: the query of GET /v1/trajectories."""

    model_config = ConfigDict(extra="forbid", strict=True)
