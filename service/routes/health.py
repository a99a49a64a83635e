"""/livez, /readyz and /metrics"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

from service.edge.problems import RESPONSES, responses
from service.routes.access import guard
from service.routes.dependencies import DatabaseDependency
from service.use_cases.readiness import Readiness, check_ready

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: Literal["ok"] = "ok"


class ReadyParameters(BaseModel):
    """Query of the readiness."""

    model_config = ConfigDict(extra="forbid")

    require: Annotated[
        Literal["database", "dispatcher"],
        Field(description="`database` to ask for that alone: requests are answered without a dispatcher, too."),
    ] = "dispatcher"


@router.get("/livez")
def live() -> Health:
    """Whether the process answers."""
    return Health()


@router.get("/readyz", responses=responses(_503="Not ready", _422="Not valid"))
def ready(database: DatabaseDependency, query: Annotated[ReadyParameters, Query()]) -> Readiness:
    """Whether the database answers and has the newest schema, and a dispatcher is at work."""
    return check_ready(database, needs_dispatcher=query.require == "dispatcher")


@router.get(
    "/metrics",
    dependencies=[Depends(guard)],
    response_class=Response,
    responses=RESPONSES | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def show_metrics(request: Request) -> Response:
    """Get the metrics for Prometheus."""
    return Response(request.app.state.exposition.text(), media_type=CONTENT_TYPE_LATEST)
