"""What SQLite's query planner knows of the tables; PostgreSQL's autovacuum looks at them by itself."""

import sqlalchemy as sa

from service.store.database import Database
from service.store.tables import experiments, runs, summaries

FEWEST_RUNS = 10_000
"""Below, every plan is fast, and what was true of a few rows would mislead the planner when there are many."""

GROWTH = 2.0
"""Runs, relative to those at the last look, from which tables are looked at again."""

TABLES = (experiments, runs, summaries)
"""Those among whose indexes the planner chooses. 200 000 runs take 0.2 s; a sample of 1000 rows did not suffice."""


class TableStatistics:
    """Keeps the statistics of a SQLite database up to date; nothing on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database, self._due_at = database, FEWEST_RUNS

    def renew(self) -> bool:
        """Gather statistics if the runs have grown to so many; returns whether they had."""
        if not self._database.one_writes_at_a_time:
            return False
        with self._database.reading() as connection:
            latest = connection.scalar(sa.select(sa.func.max(runs.c.id))) or 0
        if latest < self._due_at:
            return False
        for table in TABLES:
            self._database.gather_statistics(table.name)
        self._due_at = int(GROWTH * latest)
        return True
