"""The API application: `uvicorn --factory service.app:create_app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute

from service import web
from service.edge import problems
from service.edge.event_streams import EventStreams
from service.edge.middleware import Edge
from service.edge.openapi import document_specs
from service.edge.rates import Rates
from service.processes.signals import before_stop_signals
from service.routes import (
    archives,
    documentation,
    events,
    experiments,
    figures,
    health,
    plugins,
    presets,
    runs,
    summaries,
    trajectories,
)
from service.routes.access import guard
from service.routes.dependencies import large_submission_threads, submission_threads, text_threads
from service.routes.ids import expand_ids
from service.routes.parameters import RunQuery, TrajectoryQuery
from service.settings import Limits, Settings
from service.store.database import Database
from service.use_cases.exposition import Exposition
from service.values.version import VERSION

_ABOUT = "Implicit-regularisation experiments: gradient descent on factorised models, trajectories in SQL."
_GUARDED = (
    archives.router,
    experiments.router,
    events.router,
    runs.router,
    trajectories.router,
    summaries.router,
    figures.router,
    presets.router,
    plugins.router,
    *web.routers,
)
_OPEN = (health.router, documentation.router, *web.open_routers)
"""Probes, documentation, and what a page needs for signing in; `/metrics` has the guard on its own."""

CHECKPOINT_PAGES = 20_000
"""Of SQLite's WAL, 80 MB, before an answer here waits until the disk has them: commits of the dispatcher, for which
nobody waits, move them from a thousand on."""


def create_app(settings: Settings | None = None, limits: Limits | None = None) -> FastAPI:
    """The API on a migrated database; settings come from RANKWARD_* variables when not given."""
    settings, limits = settings or Settings(), limits or Limits()
    app = FastAPI(
        title="Rankward",
        description=_ABOUT,
        version=VERSION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # the edge takes slashes off
        servers=_servers(settings),
    )
    database = Database(settings.url, settings.busy_seconds, CHECKPOINT_PAGES, settings.pool)
    app.state.settings, app.state.limits, app.state.database = settings, limits, database
    app.state.rates = Rates()
    app.state.submission_threads = submission_threads(database)
    app.state.large_submission_threads = large_submission_threads()
    app.state.text_threads = text_threads()
    app.state.exposition = Exposition(database, settings.dispatcher_metrics_url)
    app.state.event_streams = EventStreams(database, settings.event_poll_seconds, limits.max_event_streams)
    app.add_middleware(Edge, settings=settings)
    problems.install(app)
    document_specs(app, [RunQuery, TrajectoryQuery])
    app.router.routes.extend(_routes())
    app.mount(documentation.ASSETS_PATH, documentation.assets)
    web.install(app)
    return app


@lru_cache(maxsize=1)
def _routes() -> list[BaseRoute]:
    """Those of every application of this process: FastAPI reads their dependencies once, with the first request."""
    routes = APIRouter()
    for router in _GUARDED:
        routes.include_router(router, dependencies=[Depends(guard), Depends(expand_ids)])
    for router in _OPEN:
        routes.include_router(router)
    return routes.routes


def _servers(settings: Settings) -> list[dict[str, Any]] | None:
    """Where the calls in the OpenAPI document are, if not where every document's calls are: at the host's root."""
    if not settings.root_path and settings.public_origin is None:
        return None
    public = [] if settings.public_origin is None else [f"{settings.public_origin}{settings.root_path}"]
    return [{"url": url} for url in (settings.root_path or "/", *public)]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    with before_stop_signals(app.state.event_streams.close):  # a server that ends waits for its answers to end
        yield
    app.state.event_streams.close()
    app.state.database.close()
