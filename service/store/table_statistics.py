"""What SQLite's query planner knows of the tables; PostgreSQL's autovacuum looks at them by itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from service.store.database import Database
from service.store.tables import experiments, runs, summaries

FEWEST_RUNS = 10_000
"""Highest id of a run below which every plan is fast; what is true of a few rows would mislead the planner later."""

GROWTH = 2.0
"""Highest id of a run, relative to that at the last look, from which tables are looked at again."""

TABLES = (experiments, runs, summaries)
"""Those among whose indexes the planner chooses. 200 000 runs take 0.2 s; a sample of 1000 rows did not suffice."""


class TableStatistics:
    """Keeps the statistics of a SQLite database up to date; nothing on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database, self._due_at = database, FEWEST_RUNS

    def renew(self, writing: Callable[[], AbstractContextManager[sa.Connection]]) -> bool:
        """Gather statistics in a transaction if the ids of runs have grown so far; returns whether they had."""
        if not self._database.one_writes_at_a_time:
            return False
        with self._database.reading() as connection:
            latest = connection.scalar(sa.select(sa.func.max(runs.c.id))) or 0
        if latest < self._due_at:
            return False
        with writing() as connection:
            _gather(connection)
        self._due_at = int(GROWTH * latest)
        return True


def _gather(connection: sa.Connection) -> None:
    # Connections that are open read statistics again only after a change of the schema: the table is made anew.
    connection.exec_driver_sql("DROP TABLE IF EXISTS sqlite_stat1")
    for table in TABLES:
        connection.exec_driver_sql(f"ANALYZE {table.name}")
