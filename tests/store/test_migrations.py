import pytest
from alembic import command

from service.errors import NotReady
from service.store.database import Database
from service.store.migrate import alembic_config, check_schema, migrate


def test_the_migrations_give_the_schema_of_the_tables(database):
    command.check(alembic_config(database.url))


def test_down_and_up_again(database):
    command.downgrade(alembic_config(database.url), "base")
    with pytest.raises(NotReady):
        check_schema(database)
    migrate(database.url)
    check_schema(database)


def test_sqlite_is_set_up_as_the_store_relies_on(database: Database):
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}
