"""Revisions: they give the schema of the tables, go up and down, and keep what older schemas held."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import sqlalchemy as sa
from alembic import command

from service.errors import NotReady
from service.store import leases
from service.store.database import Database
from service.store.migrate import alembic_config, check_schema, migrate
from service.store.tables import checkpoints, experiments, runs, summaries, trajectory_points
from tests.helpers.databases import BOTH_DATABASES
from tests.store import first_schema


@BOTH_DATABASES
def test_the_migrations_give_the_schema_of_the_tables(database):
    command.check(alembic_config(database.url))


@BOTH_DATABASES
def test_down_and_up_again(database):
    command.downgrade(alembic_config(database.url), "base")
    with pytest.raises(NotReady):
        check_schema(database)
    migrate(database.url)
    check_schema(database)


@pytest.fixture
def upgraded(database: Database) -> Database:
    """A database of the first schema with rows in it, brought to the newest."""
    command.downgrade(alembic_config(database.url), "base")
    command.upgrade(alembic_config(database.url), "0001")
    with database.writing() as connection:
        first_schema.fill(connection)
    migrate(database.url)
    return database


@BOTH_DATABASES
def test_what_the_first_schema_held_is_still_there(upgraded: Database):
    with upgraded.reading() as connection:
        experiment = connection.execute(sa.select(experiments)).mappings().one()
        run = connection.execute(sa.select(runs).where(runs.c.id == 1)).mappings().one()
        checkpoint = connection.execute(sa.select(checkpoints)).mappings().one()
        summary = connection.execute(sa.select(summaries)).mappings().one()
        points = connection.execute(sa.select(trajectory_points).order_by(trajectory_points.c.step)).mappings().all()
    spec = orjson.loads(first_schema.SPEC)
    assert (experiment["name"], experiment["tags"], experiment["run"]) == ("kept", {"paper": "2005.06398"}, spec)
    assert experiment["created_at"].isoformat() == "2026-01-02T03:04:05.678901+00:00"
    assert (run["spec"], run["step"], run["tensor_order"], run["max_steps"]) == (spec, 12, None, 2**53 - 1)
    assert str(run["spec"]["problem"]["epsilon"]) == "-0.0"
    assert (checkpoint["state"], checkpoint["milestones"]) == (first_schema.STATE, first_schema.MILESTONES)
    assert (summary["loss"], summary["determinant_sign"]) == (first_schema.LOSSES[-1], -1)
    assert summary["first_step_below"] == {"0.1": 3}
    assert [point["loss"] for point in points] == list(first_schema.LOSSES)
    assert points[0]["singular_values"] == [0.30000000000000004, 1e-300]


@BOTH_DATABASES
def test_runs_of_the_first_schema_go_on(upgraded: Database):
    """The leased one is given back by the first dispatcher; the one of a halved batch keeps its limit."""
    with upgraded.writing() as connection:
        assert leases.release_others(connection, []) == 1
        queues = leases.waiting_queues(connection, 10, 10)
    assert [(queue["first_run"], key.batch_limit, queue["waiting"]) for key, queue in queues] == [
        (2, None, 1),
        (3, 4, 1),
    ]


@BOTH_DATABASES
def test_ids_go_on_where_they_were(upgraded: Database):
    """Also where PostgreSQL's sequences did not see the rows that were there."""
    with upgraded.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('runs_id_seq', 2147483647)")
        else:
            connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = 2147483647 WHERE name = 'runs'")
        row = {**first_schema.RUN, "spec": {}, "public_id": "new", "index": 3, "status": "queued"}
        row["created_at"] = sa.func.now()
        assert connection.execute(sa.insert(runs).values(row)).inserted_primary_key == (2147483648,)


@BOTH_DATABASES
def test_two_that_migrate_at_once_wait_for_each_other(database: Database, settings):
    command.downgrade(alembic_config(database.url), "base")
    once = [sys.executable, "-m", "service.cli", "migrate", "--data-dir", str(settings.data_dir)]
    environment = {**os.environ, "RANKWARD_DATABASE_URL": settings.url}
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: subprocess.run(once, env=environment, check=False).returncode, range(2)))
    assert ended == [0, 0]
    check_schema(database)


def test_a_revision_that_copies_a_table_deletes_nothing(upgraded: Database):
    """SQLite drops the old table of a copy; with foreign keys on, that would delete what refers to it."""
    with upgraded.migrating() as connection:
        connection.exec_driver_sql("CREATE TABLE copy AS SELECT * FROM runs")
        connection.exec_driver_sql("DROP TABLE runs")
        connection.exec_driver_sql("ALTER TABLE copy RENAME TO runs")
        connection.exec_driver_sql("CREATE UNIQUE INDEX copied ON runs (id)")
    with upgraded.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(trajectory_points)) == 3
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_sqlite_is_set_up_as_the_store_relies_on(database: Database):
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}
