"""The API application: `uvicorn --factory service.app:create_app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from service import problems, web
from service.event_streams import EventStreams
from service.openapi import document_specs
from service.routes import events, experiments, figures, health, presets, runs, summaries, trajectories
from service.settings import Limits, Settings
from service.signals import before_stop_signals
from service.store.database import Database

_ABOUT = "Implicit-regularisation experiments: gradient descent on factorised models, trajectories in SQL."


def create_app(settings: Settings | None = None, limits: Limits | None = None) -> FastAPI:
    """The API on a migrated database; settings come from RANKWARD_* variables when not given."""
    app = FastAPI(title="Rankward", description=_ABOUT, version=version("rankward"), lifespan=_lifespan)
    app.state.settings = settings = settings or Settings()
    app.state.limits = limits = limits or Limits()
    app.state.database = database = Database(settings.url, settings.busy_seconds)
    app.state.event_streams = EventStreams(database, settings.event_poll_seconds, limits.max_event_streams)
    app.state.check_key = None
    problems.install(app)
    document_specs(app)
    for router in (
        experiments.router,
        events.router,
        runs.router,
        trajectories.router,
        summaries.router,
        figures.router,
        presets.router,
        health.router,
        *web.routers,
        *web.open_routers,
    ):
        app.include_router(router)
    web.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    with before_stop_signals(app.state.event_streams.close):  # a server that ends waits for its answers to end
        yield
    app.state.event_streams.close()
    app.state.database.close()
