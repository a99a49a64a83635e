"""How a SQLite transaction waits for one of another process."""

import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from service.app import create_app
from service.store import sqlite
from service.store.database import Database


@pytest.fixture
def other(tmp_path):
    """A connection of somebody else's."""
    connection = sqlite3.connect(tmp_path / "rankward.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    yield connection
    connection.close()


@pytest.fixture
def slept(monkeypatch):
    """The sleeps that a writer takes, without taking them: the clock goes on by their length."""
    slept = []
    monkeypatch.setattr(sqlite.time, "sleep", slept.append)
    monkeypatch.setattr(sqlite.time, "monotonic", lambda: sum(slept))
    return slept


def written(database):
    with database.writing() as connection:
        return connection.scalar(sa.text("PRAGMA busy_timeout"))


def test_little_of_the_time_waited_is_slept_on_after_the_lock_is_free(tmp_path, other, slept, monkeypatch):
    database = Database(f"sqlite:///{tmp_path}/rankward.db", busy_seconds=30)
    other.execute("BEGIN IMMEDIATE")

    def sleep(seconds):
        slept.append(seconds)
        if sum(slept) >= 0.1 and other.in_transaction:
            other.execute("COMMIT")

    monkeypatch.setattr(sqlite.time, "sleep", sleep)
    assert written(database) == 30_000
    assert 0.1 <= sum(slept) < 0.1 * 9 / 8


def test_a_writer_gives_up_in_time_and_its_connection_is_as_it_was(tmp_path, other, slept):
    database = Database(f"sqlite:///{tmp_path}/rankward.db", busy_seconds=2)
    waits_of_sqlite = []

    def note(connection, _cursor, statement, *_):
        if statement == "BEGIN IMMEDIATE":
            waits_of_sqlite.append(connection.connection.driver_connection.execute("PRAGMA busy_timeout").fetchone()[0])

    sa.event.listen(database._engine, "before_cursor_execute", note)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="database is locked"):
        written(database)
    assert 2 <= sum(slept) < 2.1
    assert waits_of_sqlite == [0]
    other.execute("COMMIT")
    assert written(database) == 2_000


def test_what_is_not_a_lock_is_not_waited_for(tmp_path, slept):
    connection = sqlite3.connect(tmp_path / "rankward.db", isolation_level=None)
    connection.execute("BEGIN")
    assert not sqlite._begins_in_time(connection, 30)
    assert not slept


def test_a_database_that_cannot_be_written_says_so(tmp_path):
    path = tmp_path / "rankward.db"
    sqlite3.connect(path).execute("PRAGMA journal_mode = WAL")
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true", busy_seconds=30)
    with pytest.raises(OperationalError, match="readonly"), database.writing() as connection:
        connection.execute(sa.text("CREATE TABLE numbers (number INTEGER)"))


def test_commits_of_the_api_leave_checkpoints_to_the_dispatcher(settings, database):
    api = create_app(settings).state.database
    pages = {}
    for name, one in (("api", api), ("dispatcher", database)):
        with one.reading() as connection:
            pages[name] = connection.scalar(sa.text("PRAGMA wal_autocheckpoint"))
    assert pages == {"api": 20_000, "dispatcher": 1_000}
