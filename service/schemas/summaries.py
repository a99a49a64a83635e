"""How metrics spread over the runs of a group."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from service.values.numbers import InfiniteWord

Number = float | InfiniteWord


class GroupSummary(BaseModel):
    """How a metric's last values spread over the runs of a group; runs that do not have it, or as NaN, do not count."""

    group: Annotated[dict[str, Any], Field(description="Values of the fields that the runs have in common.")]
    metric: str
    runs: int
    count: Annotated[int, Field(description="Runs whose value is counted.")]
    min: Number | None = None
    quartiles: tuple[Number, Number, Number] | None = None
    median: Number | None = None
    max: Number | None = None


class Summary(BaseModel):
    """A metric's last values by groups of runs."""

    experiment_id: str
    items: list[GroupSummary]


class GroupCurves(BaseModel):
    """How a metric spreads over a group of runs along an axis; `count` runs have points on both sides of a place."""

    group: dict[str, Any]
    runs: int
    columns: Annotated[
        dict[str, list[Any]],
        Field(description="The axis, `count`, `min`, `lower_quartile`, `median`, `upper_quartile`, `max`."),
    ]


class Curves(BaseModel):
    """Quantile curves of a metric by groups of runs."""

    experiment_id: str
    metric: str
    x: Literal["step", "time", "loss"]
    items: list[GroupCurves]
