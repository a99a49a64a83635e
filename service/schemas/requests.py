"""What clients send: experiments, changes of them, extensions of runs."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workers.runs.base import Integer, Natural, NonNegative, Positive, misfit

Tag = Annotated[str, Field(max_length=500)]

TagName = Annotated[str, Field(min_length=1, max_length=100)]

Values = Annotated[list[Any], Field(description="Values of one field.")]

Name = Annotated[str, Field(max_length=200)]

Tags = Annotated[dict[TagName, Tag], Field(max_length=50)]

Priority = Annotated[
    Integer, Field(ge=-100, le=100, description="Runs of a higher one go first whenever a worker is idle.")
]


class ExperimentRequest(BaseModel):
    """An experiment: one run, or a sweep over runs that share a base."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name = ""
    tags: Tags = {}
    priority: Priority = 0
    run: Annotated[dict[str, Any], Field(description="A RunSpec; fields that the sweep sets may be left out.")]
    sweep: Annotated[
        list[dict[str, Values]],
        Field(max_length=100, description="Axes to cross; the keys of one axis are dotted paths that move together."),
    ] = []


class ExperimentAttributes(BaseModel):
    """What can be changed of an experiment afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name = ""
    tags: Tags = {}
    priority: Priority = 0


class ExperimentChanges(BaseModel):
    """A JSON merge patch (RFC 7396) of an experiment: what is left out stays as it is, null removes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name | None = None
    tags: Annotated[
        dict[TagName, Tag | None] | None,
        Field(max_length=1000, description="Tags to set, and null for those to remove; null in place of all of them."),
    ] = None
    priority: Priority | None = None


class Extension(BaseModel):
    """How much further a run is to go; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    max_steps: Annotated[Natural | None, Field(description="At least as many as the run asks for now.")] = None
    max_time: Annotated[Positive | None, Field(description="Of a gradient_flow, at least what it has now.")] = None
    loss_below: Annotated[NonNegative | None, Field(description="At most the present limit; 0 or null removes it.")] = (
        None
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.model_fields_set:
            raise misfit((), "Say how far the run is to go: give max_steps, or max_time to a flow, or loss_below.")
        return self
