"""A database that is locked, full, read-only, restarted or gone: said clearly, and nothing lost."""

import os
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from service.app import create_app
from service.dispatch.loop import Dispatcher
from service.dispatch.membership import Membership
from service.settings import Settings
from service.store.database import DATABASE_AWAY, Database, driver_url, shown_url
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.inline_cluster import InlineCluster
from tests.helpers.specs import BASIC

RUNS = {"run": BASIC, "sweep": [{"seed": [0, 1, 2, 3]}]}


@pytest.fixture
def settings(settings):
    """What waits for a lock gives up at once, instead of after the 30 seconds of the default."""
    return settings.model_copy(update={"busy_seconds": 0.1})


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("service.dispatch.loop.SECONDS_BETWEEN_TRIES", 0)


@contextmanager
def locked(settings):
    """Another process has the runs to itself."""
    if settings.url.startswith("sqlite"):
        other = sqlite3.connect(settings.data_dir / "rankward.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
    else:
        with psycopg.connect(settings.url) as connection:
            connection.execute("LOCK TABLE experiments, runs, dispatchers IN EXCLUSIVE MODE")
            yield


@contextmanager
def full(database):
    """No page more fits on the disk: SQLite's own limit gives the very error of a full one."""

    def limit(pages):
        for connection in connections:
            connection.execute(f"PRAGMA max_page_count = {pages}")

    connections = []
    engine = database._engine
    engine.dispose()
    sa.event.listen(engine, "connect", (remember := lambda connection, _: connections.append(connection)))
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    sa.event.listen(
        engine, "connect", (fill := lambda connection, _: connection.execute(f"PRAGMA max_page_count = {pages}"))
    )
    limit(pages)
    yield
    for listener in (remember, fill):
        sa.event.remove(engine, "connect", listener)
    limit(2**30)


def statuses(api):
    return [run["status"] for run in api.get("/v1/runs").json()["items"]]


def refuses(api):
    answer = api.post("/v1/experiments", json=RUNS)
    return answer.status_code == 503 and "try again" in answer.json()["detail"]


def finishes(api, dispatcher):
    for _ in range(50):
        dispatcher._patiently(dispatcher.tick)
    return set(statuses(api)) == {"succeeded"}


def begun_once(dispatcher):
    return sum(batch.members[0].checkpoint is None for batch in dispatcher.cluster.batches) == 1


@BOTH_DATABASES
def test_locked_by_another_process(api, dispatcher, settings):
    assert api.post("/v1/experiments", json=RUNS).status_code == 202
    dispatcher.tick()  # leased and computed, not stored
    with locked(settings):
        assert refuses(api)
        with pytest.raises(DATABASE_AWAY):
            dispatcher.tick()
        dispatcher._patiently(dispatcher.tick)
        assert statuses(api) == ["running"] * 4, "what only reads is answered"
    assert finishes(api, dispatcher)
    assert begun_once(dispatcher), "the slice that could not be stored was kept, not computed again"


def test_a_full_disk(api, database, dispatcher):
    assert api.post("/v1/experiments", json=RUNS).status_code == 202
    dispatcher.tick()
    with full(database), full(api.app.state.database):
        assert any(refuses(api) for _ in range(20))
        for _ in range(20):
            dispatcher._patiently(dispatcher.tick)
        assert "succeeded" not in statuses(api)
    before = len(statuses(api))
    assert finishes(api, dispatcher)
    assert len(statuses(api)) == before


def test_a_file_that_cannot_be_written(api, dispatcher, database, monkeypatch):
    """As after a remount: the file is there and answers, and takes nothing."""
    api.post("/v1/experiments", json=RUNS)
    databases = (database, api.app.state.database)
    for one in databases:
        one._engine.dispose()
        sa.event.listen(one._engine, "connect", (read_only := lambda c, _: c.execute("PRAGMA query_only = ON")))
        monkeypatch.setattr(one, "removed", read_only, raising=False)
    assert refuses(api)
    dispatcher._patiently(dispatcher.tick)
    assert statuses(api) == ["queued"] * 4
    for one in databases:
        sa.event.remove(one._engine, "connect", one.removed)
        one._engine.dispose()
    assert finishes(api, dispatcher)


@pytest.fixture
def postgresql(templates, tmp_path, settings):
    """A server of the test's own, and settings for a database on it."""
    from service.store.migrate import migrate
    from tests.helpers.postgresql import PostgreSQL

    with PostgreSQL() as server:
        url = server.url(server.create())
        migrate(url)
        yield server, settings.model_copy(update={"database_url": url})


def test_a_server_that_is_killed_and_started_again(postgresql):
    server, settings = postgresql
    database = Database(settings.url)
    membership = Membership(database, None, settings.lease_seconds)
    membership.try_to_join()
    dispatcher = Dispatcher(database, InlineCluster(), settings, membership)
    with TestClient(create_app(settings), base_url="http://localhost") as api:
        assert api.post("/v1/experiments", json=RUNS).status_code == 202
        dispatcher.tick()
        server.kill()
        for path in ("/v1/runs", "/v1/experiments", "/readyz"):
            answer = api.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert api.get("/livez").status_code == 200
        assert refuses(api)
        dispatcher._patiently(dispatcher.tick)
        server.start()
        assert statuses(api) == ["running"] * 4
        assert finishes(api, dispatcher)
        assert begun_once(dispatcher)
    database.close()


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_connections_that_the_server_ended(database_kind, api, dispatcher, settings):
    """`pg_terminate_backend`, as an administrator or a failover does it: nobody has to notice."""
    assert api.post("/v1/experiments", json=RUNS).status_code == 202
    with psycopg.connect(settings.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()"
        )
    dispatcher.tick()
    assert statuses(api) == ["running"] * 4
    assert finishes(api, dispatcher)


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.processes
def test_a_data_directory_that_cannot_be_written_is_a_sentence(tmp_path):
    """Root may write everywhere but where the kernel itself says no."""
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path
    folder.chmod(0o555) if folder is tmp_path else None
    answer = command("serve", "--port", "0", "--data-dir", str(folder))
    assert answer.returncode == 1
    assert str(folder) in answer.stderr
    assert "--data-dir" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.processes
def test_no_database_is_a_sentence(tmp_path):
    environment = {**os.environ, "RANKWARD_DATABASE_URL": "postgresql://someone:secret@127.0.0.1:9/none"}
    answer = command("migrate", "--data-dir", str(tmp_path), env=environment)
    assert answer.returncode == 1
    assert "127.0.0.1" in answer.stderr
    assert "secret" not in answer.stderr
    assert "Traceback" not in answer.stderr


def test_urls():
    assert driver_url("postgresql://a@b/c") == driver_url("postgres://a@b/c") == "postgresql+psycopg://a@b/c"
    assert driver_url("postgresql+psycopg://a@b/c") == "postgresql+psycopg://a@b/c"
    assert driver_url("sqlite:////data/x.db") == "sqlite:////data/x.db"
    assert shown_url("postgresql://a:secret@b/c") == "postgresql://a:***@b/c"


def test_a_database_without_schema_is_not_ready(tmp_path):
    with TestClient(create_app(Settings(data_dir=tmp_path)), base_url="http://localhost") as api:
        answer = api.get("/readyz")
    assert answer.status_code == 503
    assert "rankward migrate" in answer.json()["detail"]
