"""The same runs in SQLite and in PostgreSQL."""

from collections.abc import Iterator

import pytest

from service.store.database import Database
from tests.helpers.databases import Templates
from tests.queries.stored_runs import fill


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, templates: Templates, tmp_path_factory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("stored") / "runs.db"
    with templates.sqlite(path) if request.param == "sqlite" else templates.postgresql() as url:
        database = Database(url)
        fill(database, 25)
        yield database
        database.close()
