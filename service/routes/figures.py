"""/v1/experiments/{id}/figures"""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.edge.problems import RESPONSES
from service.figures.kinds.base import Ask
from service.figures.layout import ONE_COLUMN, TWO_COLUMNS
from service.figures.picture import Scale
from service.figures.renderers import MEDIA_TYPES, PNG_SCALE, Style
from service.figures.themes import ThemeName
from service.routes.answers import unchanged
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.schemas.lists import FigureList
from service.use_cases import figures
from service.values.version import VERSION

router = APIRouter(prefix="/v1/experiments/{experiment_id}/figures", tags=["figures"], responses=RESPONSES)

_WIDTHS = {"column": ONE_COLUMN, "page": TWO_COLUMNS}
_CONTENT = {"description": "The figure", "content": {media_type: {} for media_type in MEDIA_TYPES.values()}}
_UNCHANGED = {"description": "The figure is still the one that `If-None-Match` names"}


class FigureParameters(BaseModel):
    """Query of a figure; GET /v1/experiments/{id}/figures says which figure takes what."""

    model_config = ConfigDict(extra="forbid")

    metrics: Annotated[str | None, Field(description="Metrics to draw, separated by commas.")] = None
    metric: Annotated[str | None, Field(description="The metric to draw.")] = None
    x: Annotated[str | None, Field(description="`step`, `time` or `loss`; of a sweep, a path of the spec.")] = None
    y: Annotated[str | None, Field(description="Of a sweep, a path of the spec, such as `model.depth`.")] = None
    x_scale: Annotated[Scale | None, Field(description="Whether steps, time or loss are on a logarithmic axis.")] = None
    others: Annotated[str | None, Field(alias="with", description="Experiments to compare with, by commas.")] = None
    width: Annotated[
        Annotated[int, Field(ge=200, le=4000)] | None,
        BeforeValidator(lambda value: _WIDTHS.get(value, value)),
        Field(description="Pixels, 96 to an inch; `column` is 3.5 inches, `page` is 7."),
    ] = None
    theme: Annotated[ThemeName, Field(description="Colours for a light or a dark page.")] = "light"
    scale: Annotated[float, Field(ge=1, le=4, description="Pixels of a PNG for each of its width.")] = PNG_SCALE

    def ask(self) -> Ask:
        """What is asked of the figure's kind."""
        return Ask(_names(self.metrics), self.metric, self.x, self.y, self.x_scale, _names(self.others))

    def style(self) -> Style:
        """How it is to be drawn."""
        return Style(self.width, self.theme, self.scale)


@router.get("")
def list_all(request: Request, database: DatabaseDependency, experiment_id: str) -> FigureList:
    """List the figures that can be drawn of an experiment; the default one shows it best."""
    listed = figures.list_figures(database, experiment_id)
    root_path: str = request.app.state.settings.root_path
    for figure in listed.items:
        figure.files = {format: root_path + path for format, path in figure.files.items()}
    return listed


@router.get("/{file}", response_class=Response, responses={200: _CONTENT, 304: _UNCHANGED})
def get(
    database: DatabaseDependency,
    limits: LimitsDependency,
    experiment_id: str,
    file: str,
    query: Annotated[FigureParameters, Query()],
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw a figure, `name.png`, `name.svg` or `name.json`; JSON is a Plotly figure."""
    requested, style = figures.asked_figure(database, experiment_id, file, query.ask(), limits), query.style()
    state = figures.version_of(database, requested)
    headers = {"ETag": _etag(file, state, requested.ask, style, limits), "Cache-Control": "no-cache"}
    if answer := unchanged(if_none_match, headers):
        return answer
    content = figures.draw(database, requested, style, limits)
    return Response(content, media_type=MEDIA_TYPES[requested.format], headers=headers)


def _etag(*what: object) -> str:
    """A tag that stands for these bytes: the same data, asked for in the same way, are drawn the same."""
    return f'"{hashlib.sha256(repr((VERSION, what)).encode()).hexdigest()[:32]}"'


def _names(value: str | None) -> tuple[str, ...]:
    return tuple(name for name in (value or "").split(",") if name)
