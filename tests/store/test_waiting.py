"""How a SQLite transaction waits for one of another process."""

import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

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
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="database is locked"):
        written(database)
    assert 2 <= sum(slept) < 2.1
    other.execute("COMMIT")
    assert written(database) == 2_000


def test_what_is_not_a_lock_is_not_waited_for(tmp_path, slept):
    path = tmp_path / "rankward.db"
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true", busy_seconds=30)
    sqlite3.connect(path).execute("PRAGMA journal_mode = WAL")
    with pytest.raises(OperationalError, match="readonly"), database.writing() as connection:
        connection.execute(sa.text("CREATE TABLE numbers (number INTEGER)"))
    assert not slept
