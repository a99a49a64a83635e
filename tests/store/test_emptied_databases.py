"""The tests' own databases of PostgreSQL: each starts as a new one, whatever the test before did to it."""

import psycopg
import pytest

from service.store.database import Database
from service.use_cases.keys import create_key

pytestmark = pytest.mark.postgresql

CHANGES = {
    "column": "ALTER TABLE runs ADD COLUMN further integer",
    "default": "ALTER TABLE runs ALTER COLUMN status SET DEFAULT 'running'",
    "trigger": "ALTER TABLE runs DISABLE TRIGGER ALL",
    "table": "CREATE TABLE further ()",
    "view": "DROP VIEW run_summary",
    "constraint": "ALTER TABLE runs ADD CONSTRAINT further CHECK (step < 5)",
    "function": "CREATE FUNCTION further() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "statistics": "ANALYZE",
}


def test_rows_are_gone(templates):
    with templates.postgresql() as url:
        database = Database(url)
        create_key(database, "somebody", ["read"], {})
        database.close()
    with templates.postgresql() as again, psycopg.connect(again) as connection:
        assert again == url
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_otherwise_is_not_used_again(templates, change):
    with templates.postgresql() as url, psycopg.connect(url) as connection:
        connection.execute(change)
    with templates.postgresql() as other:
        assert other != url
