from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command

from service.errors import NotReady
from service.store.database import Database
from service.store.experiments import insert_experiment
from service.store.migrate import alembic_config, check_schema, migrate
from service.store.tables import checkpoints, runs
from service.use_cases.run_rows import run_row
from tests.specs import spec

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_migrations_give_the_schema_of_the_tables(database):
    command.check(alembic_config(database.url))


def test_down_and_up_again(database):
    command.downgrade(alembic_config(database.url), "base")
    with pytest.raises(NotReady):
        check_schema(database)
    migrate(database.url)
    check_schema(database)


def test_what_the_first_schema_held_is_still_there(database: Database):
    """Runs stored before tensors existed: down to 0001 with a run and its checkpoint, and up again."""
    values = {
        "public_id": "e",
        "name": "",
        "tags": {},
        "run": {},
        "sweep": [],
        "created_at": NOW,
        "body_digest": "d",
    }
    row = run_row(spec(), 0, NOW)
    with database.writing() as connection:
        insert_experiment(connection, values, [row])
        state = {"run_id": 1, "step": 3, "state": b"s", "milestones": b"m"}
        connection.execute(sa.insert(checkpoints).values(state))
    command.downgrade(alembic_config(database.url), "0001")
    migrate(database.url)
    with database.reading() as connection:
        kept = connection.execute(sa.select(runs.c.public_id, runs.c.depth, runs.c.tensor_order)).one()
        assert connection.execute(sa.select(checkpoints.c.step, checkpoints.c.rank_search)).one() == (3, None)
    assert kept == (row["public_id"], 3, None)


def test_sqlite_is_set_up_as_the_store_relies_on(database: Database):
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}
