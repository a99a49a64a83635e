"""The API application: `uvicorn --factory service.app:create_app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI

from service import problems
from service.edge import Edge
from service.openapi import document_specs
from service.rates import Rates
from service.routes import documentation, experiments, figures, health, presets, runs, summaries, trajectories
from service.routes.access import guard
from service.settings import Limits, Settings
from service.store.database import Database
from service.use_cases.exposition import Exposition

_ABOUT = "Implicit-regularisation experiments: gradient descent on factorised models, trajectories in SQL."
_GUARDED = (
    experiments.router,
    runs.router,
    trajectories.router,
    summaries.router,
    figures.router,
    presets.router,
)
_OPEN = (health.router, documentation.router)
"""Probes and documentation; `/metrics` has the guard on its own."""


def create_app(settings: Settings | None = None, limits: Limits | None = None) -> FastAPI:
    """The API on a migrated database; settings come from RANKWARD_* variables when not given."""
    settings = settings or Settings()
    app = FastAPI(
        title="Rankward",
        description=_ABOUT,
        version=version("rankward"),
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.database = Database(settings.url, settings.busy_seconds)
    app.state.limits = limits or Limits()
    app.state.rates = Rates()
    app.state.exposition = Exposition(app.state.database, settings.dispatcher_metrics_url)
    app.add_middleware(Edge, settings=settings)
    problems.install(app)
    document_specs(app)
    for router in _GUARDED:
        app.include_router(router, dependencies=[Depends(guard)])
    for router in _OPEN:
        app.include_router(router)
    app.mount(documentation.ASSETS_PATH, documentation.assets)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    yield
    app.state.database.close()
