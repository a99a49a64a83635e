"""The API application: `uvicorn --factory service.app:create_app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from service import problems
from service.openapi import document_specs
from service.routes import experiments, figures, health, presets, runs, summaries, trajectories
from service.settings import Limits, Settings
from service.store.database import Database

_ABOUT = "Implicit-regularisation experiments: gradient descent on factorised models, trajectories in SQL."


def create_app(settings: Settings | None = None, limits: Limits | None = None) -> FastAPI:
    """The API on a migrated database; settings come from RANKWARD_* variables when not given."""
    app = FastAPI(title="Rankward", description=_ABOUT, version=version("rankward"), lifespan=_lifespan)
    settings = settings or Settings()
    app.state.database = Database(settings.url, settings.busy_seconds)
    app.state.limits = limits or Limits()
    problems.install(app)
    document_specs(app)
    for router in (
        experiments.router,
        runs.router,
        trajectories.router,
        summaries.router,
        figures.router,
        presets.router,
        health.router,
    ):
        app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    yield
    app.state.database.close()
