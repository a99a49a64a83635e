"""A dispatcher that stands still in the middle of a write is replaced, and what it was writing is undone."""

import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from service.dispatch.heart import beating
from service.dispatch.membership import Membership
from service.store.database import Database
from service.store.dispatchers import Deposed, Needs, beat, end_silent_writers
from service.store.tables import experiments

LEASE = 1.0
pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])


@contextmanager
def between_statements(connection, _token):
    connection.execute(sa.delete(experiments))
    yield


@contextmanager
def within_a_copy(connection, _token):
    driver = connection.connection.driver_connection
    with driver.cursor().copy("COPY trajectory_points (run_id, step) FROM STDIN") as rows:
        rows.write("1\t1\n")
        yield


@contextmanager
def within_a_beat(connection, token):
    beat(connection, token, Needs(), LEASE)
    yield


@pytest.fixture
def joined(settings):
    databases = []

    def of(name, lease=LEASE):
        databases.append(Database(settings.url, busy_seconds=1))
        membership = Membership(databases[-1], name, lease)
        assert membership.try_to_join()
        return membership

    yield of
    for database in databases:
        database.close()


def beat_until_taken_over(membership):
    begun = time.monotonic()
    while not membership.took_over.is_set():
        assert time.monotonic() - begun < 10
        membership.beat()
        time.sleep(0.05)


@pytest.mark.parametrize("standing_still", [between_statements, within_a_copy, within_a_beat])
def test_the_others_end_the_session_of_one_that_stands_still_in_a_write(api, joined, standing_still):
    posted = api.post("/v1/experiments", json=api.get("/v1/presets/first_look").json()).json()
    still, other = joined("first"), joined("second")
    lost = pytest.raises((psycopg.OperationalError, DBAPIError))
    with lost, still.writing() as connection, standing_still(connection, still.token):
        beat_until_taken_over(other)
    with pytest.raises(Deposed), still.writing():
        pass
    with other.writing():
        pass
    assert api.get(f"/v1/experiments/{posted['id']}").status_code == 200


def test_the_next_of_its_name_ends_the_session_of_one_that_stands_still_in_a_write(joined):
    still = joined("first")
    lost = pytest.raises((psycopg.OperationalError, DBAPIError))
    with lost, still.writing() as connection, between_statements(connection, still.token):
        time.sleep(LEASE)
        joined("first")
    with pytest.raises(Deposed), still.writing():
        pass


def test_a_long_write_of_one_that_beats_is_left_alone(joined):
    long = 4 * LEASE  # a machine with other work does not keep a heart from beating for as long
    writer, other = joined("first", long), joined("second", long)
    with beating(writer):
        with writer.writing() as connection:
            connection.execute(sa.delete(experiments))
            until = time.monotonic() + 1.5 * long
            while time.monotonic() < until:
                other.beat()
                assert not other.took_over.is_set()
                time.sleep(0.1)
        with writer.writing():
            pass


def test_a_write_that_is_under_way_at_the_server_is_waited_for(joined):
    """A dispatcher that was killed, whose last statement the server still works on."""
    killed, other = joined("first"), joined("second")
    with killed.writing() as connection:
        thread = threading.Thread(target=lambda: connection.execute(sa.text("SELECT pg_sleep(3)")))
        thread.start()
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            began = time.monotonic()
            other.beat()
            assert time.monotonic() - began < 2, "it goes on beating meanwhile"
            assert not other.took_over.is_set()
            time.sleep(0.1)
        thread.join()
    beat_until_taken_over(other)


def test_a_short_write_is_left_alone(joined, database):
    writer = joined("first")
    with writer.writing() as connection:
        connection.execute(sa.delete(experiments))
        with database.writing() as other:
            end_silent_writers(other, writer.token, 60)
        connection.execute(sa.delete(experiments))


def test_a_write_that_waits_for_the_server_is_left_alone(joined, database):
    writer = joined("first")
    with writer.writing() as connection:
        thread = threading.Thread(target=lambda: connection.execute(sa.text("SELECT pg_sleep(1)")))
        thread.start()
        time.sleep(0.3)
        with database.writing() as other:
            end_silent_writers(other, writer.token, 0.01)
        thread.join()
        connection.execute(sa.delete(experiments))


def test_writes_of_others_are_left_alone(joined, database, settings):
    """Those of the API, and those of the other dispatchers at work."""
    silent, writer, api = joined("first"), joined("second"), Database(settings.url)
    with api.writing() as of_api, writer.writing() as of_writer:
        of_api.execute(sa.delete(experiments))
        of_writer.execute(sa.select(experiments)).all()
        time.sleep(0.1)
        with database.writing() as other:
            end_silent_writers(other, silent.token, 0.01)
        of_api.execute(sa.delete(experiments))
        of_writer.execute(sa.select(experiments)).all()
    api.close()
