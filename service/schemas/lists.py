"""Pages of a list; presets, plugins and figures as lists have them."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, Field

Item = TypeVar("Item")


class PresetSummary(BaseModel):
    """A preset in the list."""

    name: str
    title: str
    about: str
    source: Annotated[str, Field(description="Where the experiment was published, or that it was not.")]
    figure: Annotated[str, Field(description="The figure that shows it, by its name in paths.")]


class Plugins(BaseModel):
    """The plugins of a service; the list is reserved, and empty."""

    items: list[str] = []
    next: str | None = None
    detail: str = (
        "Plugins are reserved: models that are not multilinear cannot be added yet. "
        "A multilinear one can be posted as data, as a model of kind contraction."
    )


class FigureSummary(BaseModel):
    """A figure that can be drawn of an experiment."""

    name: str
    title: str
    about: str
    parameters: Annotated[list[str], Field(description="What its query may say.")]
    files: Annotated[dict[str, str], Field(description="Its paths by format: png, svg, and json for Plotly.")]


class FigureList(BaseModel):
    """The figures that can be drawn of an experiment."""

    default: Annotated[str, Field(description="Name of the figure that shows it best.")]
    items: list[FigureSummary]


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the cursor of the following page."""

    items: list[Item]
    next: str | None
