"""A million runs in PostgreSQL, 200 000 in SQLite: `python -m benchmarks.million_runs [--share 0.01]`.

The rows are written straight into the tables (`benchmarks.million_rows`). An API is started on them, and everything is
asked over HTTP, best of several where nothing changes. A housekeeper removes what is deleted, as the active dispatcher
does; meanwhile experiments are submitted, and the longest wait of one is measured.
"""

import argparse
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from benchmarks.million_requests import Asked, Line
from benchmarks.million_rows import Kind, fill
from benchmarks.query_speed import Api
from benchmarks.store_speed import databases
from service.dispatch.housekeeping import keeping_house
from service.dispatch.membership import Membership
from service.store.database import Database
from service.store.migrate import migrate

KINDS = {
    "SQLite": (Kind(1, 160_000, 3), Kind(2, 10_000, 3), Kind(1, 10_000, 200), Kind(1000, 10, 3)),
    "PostgreSQL": (Kind(4, 200_000, 3), Kind(18, 10_000, 3), Kind(1, 10_000, 200), Kind(1000, 10, 3)),
}
"""From large to small: the first experiment is deleted, that of 200 points a run is drawn and taken away."""

SECONDS_BETWEEN_WRITES = 0.05
MOST_SECONDS_TO_REMOVE = 900.0


class Writer(threading.Thread):
    """Submits experiments one after the other, and keeps the longest wait."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(daemon=True)
        self._asked, self._over = asked, threading.Event()
        self.longest, self.count = 0.0, 0

    def run(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN_WRITES):
            began = time.perf_counter()
            self._asked.submit()
            self.longest, self.count = max(self.longest, time.perf_counter() - began), self.count + 1

    def finish(self) -> None:
        """End it."""
        self._over.set()
        self.join()


def delete_and_watch(asked: Asked, database: Database) -> Iterator[Line]:
    """Delete the largest experiment while others are submitted, and wait until its space is back."""
    before, writer = _bytes_in_use(database), Writer(asked)
    writer.start()
    began = time.perf_counter()
    asked.delete()
    yield Line("DELETE of the largest experiment, answered", f"{time.perf_counter() - began:.1f} s")
    membership = Membership(database, None, MOST_SECONDS_TO_REMOVE)
    assert membership.try_to_join()
    with keeping_house(database, membership):
        _wait(lambda: _is_removed(database))
        yield Line("its rows removed", f"{time.perf_counter() - began:.0f} s after")
        writer.finish()
        yield Line(f"longest of {writer.count} submissions meanwhile", f"{writer.longest * 1e3:,.0f} ms")
        _wait(lambda: _bytes_in_use(database) < 0.95 * before and not _is_shrinking(database))
        after = _bytes_in_use(database)
    taken = f"{before / 2**20:,.0f} MiB before, {after / 2**20:,.0f} MiB after"
    yield Line("space in use", f"{taken}, {time.perf_counter() - began:.0f} s after")


def _is_removed(database: Database) -> bool:
    with database.reading() as connection:
        return not connection.scalar(sa.text("SELECT count(*) FROM experiments WHERE expires_at IS NOT NULL"))


def _bytes_in_use(database: Database) -> int:
    """Of SQLite the file; of PostgreSQL the tables less what autovacuum has made free for new rows."""
    with database.reading() as connection:
        if database.one_writes_at_a_time:
            pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _PAGE_PRAGMAS)
            return pages * size
        return int(connection.scalar(sa.text(_LIVE_BYTES)) or 0)


_PAGE_PRAGMAS = ("page_count", "page_size")
_LIVE_BYTES = (
    "SELECT sum(pg_total_relation_size(relid) * n_live_tup::float8 / greatest(n_live_tup + n_dead_tup, 1))"
    " FROM pg_stat_user_tables WHERE last_autovacuum IS NOT NULL OR n_dead_tup = 0"
)


def _is_shrinking(database: Database) -> bool:
    if not database.one_writes_at_a_time:
        return False
    with database.reading() as connection:
        return connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() > 256


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MOST_SECONDS_TO_REMOVE
    while not until() and time.monotonic() < deadline:
        time.sleep(0.5)


@contextmanager
def asking(url: str) -> Generator[Asked]:
    """An API of its own on a filled database."""
    api = Api(url)
    try:
        yield Asked(api, url.rpartition("/")[2])
    finally:
        api.stop()


def measure(url: str, kinds: tuple[Kind, ...], parts: frozenset[str]) -> Iterator[Line]:
    """Fill a database unless it has rows, ask, delete."""
    migrate(url)
    database = Database(url)
    with database.reading() as connection:
        is_empty = connection.scalar(sa.text("SELECT id FROM runs LIMIT 1")) is None
    if is_empty:
        began = time.perf_counter()
        fill(database, kinds)
        count = sum(kind.experiments * kind.runs for kind in kinds)
        yield Line(f"{count:,} runs written", f"{time.perf_counter() - began:.0f} s")
    with asking(url) as asked:
        if "pages" in parts:
            yield from asked.pages()
        if "figures" in parts:
            yield from asked.figures()
        if "delete" in parts:
            yield from delete_and_watch(asked, database)
    database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the runs")
    parser.add_argument("--only", choices=list(KINDS), help="one of the two databases")
    parser.add_argument("--url", help="a database that stays; what it has is kept, an empty one is filled")
    parser.add_argument("--parts", default="pages,figures,delete", help="what to measure")
    asked = parser.parse_args()
    names = [asked.only] if asked.only else list(KINDS)
    with databases() as urls:
        for name in names:
            print(f"\n| {name} | time | CPU |\n|---|---|---|", flush=True)
            kinds = tuple(_scaled(kind, asked.share) for kind in KINDS[name])
            for line in measure(asked.url or urls[name], kinds, frozenset(asked.parts.split(","))):
                print(f"| {line.what} | {line.took} | {line.cpu} |", flush=True)


def _scaled(kind: Kind, share: float) -> Kind:
    return Kind(max(1, round(kind.experiments * share**0.5)), max(10, round(kind.runs * share)), kind.points)


if __name__ == "__main__":
    main()
