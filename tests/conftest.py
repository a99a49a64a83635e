"""Shared fixtures: a migrated database, the API on it, a dispatcher with workers in this process, a real server."""

import gc
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient
from hypothesis import settings as hypothesis_settings

from service.app import create_app
from service.dispatch.loop import Dispatcher
from service.dispatch.membership import Membership
from service.settings import Limits, Settings
from service.store.database import Database
from tests.helpers.databases import Templates
from tests.helpers.inline_cluster import InlineCluster
from tests.helpers.marks import LENGTHY, is_left_out, mark, turn
from tests.helpers.servers import Server

hypothesis_settings.register_profile("rankward", derandomize=True, deadline=None, max_examples=25)
# With --fast: fewer examples wherever a test does not say how many.
hypothesis_settings.register_profile("fast", derandomize=True, deadline=None, max_examples=8)


RARE_COLLECTIONS = (20_000, 10, 50)
"""Thresholds of the collector: tests leave little behind in cycles, and it takes some hundredths of their time."""

MEMORY, ROOM = Path("/dev/shm"), 4 << 30
"""Where temporary files are in memory, and the free bytes there from which the tests use it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="No PostgreSQL, no browser, nothing that takes seconds.")
    parser.addoption("--long", action="store_true", help="Full length: minutes or hours in place of seconds.")
    parser.addoption("--containers", action="store_true", help="Build the image, and run docker-compose.yml.")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        gc.disable()  # until all tests are collected, of which a fifth of the time goes to collections of garbage
    # As in the service: no lines below INFO, and tracebacks without what stood in every variable.
    shown: list[structlog.typing.Processor] = [structlog.processors.add_log_level, structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shown, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    hypothesis_settings.load_profile("fast" if config.getoption("--fast") else "rankward")
    # Each test has a database of its own: on a disk, half of the time goes to writing and removing files.
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out whole folders, which are not even imported."""
    return True if is_left_out(collection_path, config) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        mark(item)
    unwanted = {option for option in ("long", "containers") if not config.getoption(f"--{option}")}
    unwanted |= LENGTHY if config.getoption("--fast") else set()
    skipped = [item for item in items if any(mark.name in unwanted for mark in item.iter_markers())]
    config.hook.pytest_deselected(items=skipped)
    items[:] = sorted((item for item in items if item not in set(skipped)), key=turn)


def pytest_collection_finish() -> None:
    # Modules and tests stay to the end: no collection of garbage need walk over them.
    gc.freeze()
    gc.set_threshold(*RARE_COLLECTIONS)
    gc.enable()


@pytest.fixture(scope="session")
def long_mode(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--long")


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    """Migrated databases to copy, and the session's PostgreSQL server."""
    templates = Templates(tmp_path_factory.mktemp("templates"))
    yield templates
    templates.close()


@pytest.fixture
def database_kind() -> str:
    """See `BOTH_DATABASES` in tests/helpers/databases.py."""
    return "sqlite"


@pytest.fixture
def settings(tmp_path: Path, database_kind: str, templates: Templates) -> Iterator[Settings]:
    made = templates.postgresql() if database_kind == "postgresql" else templates.sqlite(tmp_path / "rankward.db")
    with made as url:
        yield _quick_settings().model_copy(update={"data_dir": tmp_path, "database_url": url})


@cache
def _quick_settings() -> Settings:
    """Read from the environment once, which takes longer than an answer of the API."""
    return Settings(poll_seconds=0.001, slice_seconds=0.2)


_LIMITS = Limits(max_runs_per_experiment=100, max_body_bytes=100_000)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.url, settings.busy_seconds)
    yield database
    database.close()


@pytest.fixture
def api(database: Database, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings, _LIMITS), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def dispatcher(database: Database, settings: Settings) -> Dispatcher:
    membership = Membership(database, None, settings.lease_seconds)
    assert membership.try_to_join()
    return Dispatcher(database, InlineCluster(), settings, membership)


@pytest.fixture
def finish(api: TestClient, dispatcher: Dispatcher) -> Callable[[dict], dict]:
    """Post an experiment, run it to its end in this process, and return it as it ended."""

    def post_and_run(experiment: dict) -> dict:
        posted = api.post("/v1/experiments", json=experiment)
        assert posted.status_code == 202, posted.text
        for _ in range(1000):
            dispatcher.tick()
            now = api.get(posted.headers["location"]).json()
            if now["status"] not in ("queued", "running"):
                return now
        raise AssertionError("the experiment did not end")

    return post_and_run


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real `rankward serve`, shared by the tests that only ask it things."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    return Path(__file__).parent / "reference" / "data"
