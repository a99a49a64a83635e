"""A dispatcher that stands still in the middle of a write is replaced, and what it was writing is undone."""

import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from service.dispatch.leadership import Leadership
from service.store.database import Database
from service.store.dispatcher_lease import Deposed, end_silent_writers
from service.store.tables import experiments

LEASE = 1.0
ON_POSTGRESQL = pytest.mark.parametrize("database_kind", ["postgresql"])


@contextmanager
def between_statements(connection):
    connection.execute(sa.delete(experiments))
    yield


@contextmanager
def within_a_copy(connection):
    driver = connection.connection.driver_connection
    with driver.cursor().copy("COPY trajectory_points (run_id, step) FROM STDIN") as rows:
        rows.write("1\t1\n")
        yield


@pytest.fixture
def candidate(settings):
    databases = []

    def of(name, lease=LEASE):
        databases.append(Database(settings.url, busy_seconds=1))
        return Leadership(databases[-1], name, lease)

    yield of
    for database in databases:
        database.close()


def lead(standby):
    begun = time.monotonic()
    while not standby.try_to_lead():
        assert time.monotonic() - begun < 10
        time.sleep(0.05)


@ON_POSTGRESQL
@pytest.mark.parametrize("standing_still", [between_statements, within_a_copy])
def test_a_standby_ends_the_session_of_one_that_stands_still_in_a_write(api, candidate, standing_still):
    posted = api.post("/v1/experiments", json=api.get("/v1/presets/first_look").json()).json()
    holder, standby = candidate("first"), candidate("second")
    assert holder.try_to_lead()
    lost = pytest.raises((psycopg.OperationalError, DBAPIError))
    with lost, holder.writing() as connection, standing_still(connection):
        lead(standby)
    with pytest.raises(Deposed), holder.writing():
        pass
    with standby.writing():
        pass
    assert api.get(f"/v1/experiments/{posted['id']}").status_code == 200


@ON_POSTGRESQL
def test_a_long_write_of_one_that_beats_is_left_alone(candidate):
    long = 4 * LEASE  # a machine with other work does not keep a heart from beating for as long
    holder, standby = candidate("first", long), candidate("second", long)
    assert holder.try_to_lead()
    with holder.beating():
        with holder.writing() as connection:
            connection.execute(sa.delete(experiments))
            until = time.monotonic() + 1.5 * long
            while time.monotonic() < until:
                assert not standby.try_to_lead()
                time.sleep(0.1)
        with holder.writing():
            pass


@ON_POSTGRESQL
def test_a_short_write_is_left_alone(candidate, database):
    holder = candidate("first")
    assert holder.try_to_lead()
    with holder.writing() as connection:
        connection.execute(sa.delete(experiments))
        with database.writing() as other:
            end_silent_writers(other, 60)
        connection.execute(sa.delete(experiments))


@ON_POSTGRESQL
def test_a_write_that_waits_for_the_server_is_left_alone(candidate, database):
    holder = candidate("first")
    assert holder.try_to_lead()
    with holder.writing() as connection:
        thread = threading.Thread(target=lambda: connection.execute(sa.text("SELECT pg_sleep(1)")))
        thread.start()
        time.sleep(0.3)
        with database.writing() as other:
            end_silent_writers(other, 0.01)
        thread.join()
        connection.execute(sa.delete(experiments))


@ON_POSTGRESQL
def test_a_write_of_others_is_left_alone(candidate, database, settings):
    holder, other = candidate("first"), Database(settings.url)
    with other.writing() as connection:
        connection.execute(sa.delete(experiments))
        time.sleep(0.1)
        with database.writing() as standby:
            end_silent_writers(standby, 0.01)
        assert holder.try_to_lead()
        connection.execute(sa.delete(experiments))
    other.close()
