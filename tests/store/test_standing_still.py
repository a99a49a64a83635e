"""A dispatcher that stands still in the middle of a write is replaced, and what it was writing is undone."""

import time
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from service.dispatch.leadership import Leadership
from service.store.database import Database
from service.store.dispatcher_lease import DISPATCHER, Deposed
from service.store.tables import experiments

LEASE = 0.5
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

    def of(name):
        databases.append(Database(settings.url, busy_seconds=1, application=DISPATCHER))
        return Leadership(databases[-1], name, LEASE)

    yield of
    for database in databases:
        database.close()


def seconds_until_leading(standby):
    begun = time.monotonic()
    while not standby.try_to_lead():
        assert time.monotonic() - begun < 10
        time.sleep(0.05)
    return time.monotonic() - begun


@ON_POSTGRESQL
@pytest.mark.parametrize("standing_still", [between_statements, within_a_copy])
def test_a_standby_ends_the_session_of_one_that_stands_still_in_a_write(api, candidate, standing_still):
    posted = api.post("/v1/experiments", json={"run": {}} | api.get("/v1/presets/first_look").json()).json()
    holder, standby = candidate("first"), candidate("second")
    assert holder.try_to_lead()
    lost = pytest.raises((psycopg.OperationalError, DBAPIError))
    with lost, holder.writing() as connection, standing_still(connection):
        assert seconds_until_leading(standby) >= LEASE * 0.9
    with pytest.raises(Deposed), holder.writing():
        pass
    with standby.writing():
        pass
    assert api.get(f"/v1/experiments/{posted['id']}").status_code == 200


@ON_POSTGRESQL
def test_a_write_of_others_and_a_short_one_are_left_alone(settings, candidate):
    other = Database(settings.url)
    leader, standby = candidate("first"), candidate("second")
    assert leader.try_to_lead()
    with other.writing() as connection:
        connection.execute(sa.delete(experiments))
        time.sleep(LEASE)
        leader.give_back()
        assert standby.try_to_lead()
    with standby.writing() as connection:
        assert not candidate("third").try_to_lead()
        connection.execute(sa.delete(experiments))
    other.close()
