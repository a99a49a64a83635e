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
from dataclasses import dataclass
from typing import Any

import psutil
import sqlalchemy as sa

from benchmarks.million_rows import SPEC, Kind, fill
from benchmarks.query_speed import Api, MemoryWatch, best_of
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

TIMES = 3
SECONDS_BETWEEN_WRITES = 0.05
MOST_SECONDS_TO_REMOVE = 900.0


@dataclass(frozen=True)
class Line:
    """A line of the table: what was asked, what it took, and how much of that was work, where others compute, too."""

    what: str
    took: str
    cpu: str = ""


class Asked:
    """An API on a filled database, and what is asked of it."""

    def __init__(self, api: Api, database_name: str) -> None:
        self._api, self._database_name = api, database_name
        self._drawn = self._listed("where=name LIKE '%25 200 points'&limit=1")[0]["id"]
        self._largest = self._listed("order_by=runs.total desc&limit=1")[0]["id"]

    def pages(self) -> Iterator[Line]:
        """Lists, counts and groups."""
        for what, query in _PAGES.items():
            yield self._timed(f"page of runs: {what}", f"/v1/runs?{query}")
        yield self._timed("page of runs: the 20th by loss, by its cursor", self._further(20))
        one = f"/v1/runs?experiment_id={self._largest}"
        yield self._timed("page of runs: of the largest experiment", one)
        yield self._timed("page of runs: of the largest experiment, by loss", f"{one}&order_by=summary.loss")
        for what, query in _EXPERIMENTS.items():
            yield self._timed(f"page of experiments: {what}", f"/v1/experiments?{query}")
        yield self._timed("the first HTML page", "/")
        yield self._timed("HTML page of the largest experiment", f"/experiments/{self._largest}")
        yield self._timed("counts of the largest experiment", f"/v1/experiments/{self._largest}")
        yield self._timed("runs by status (/metrics)", "/metrics", times=1)
        for what, query in _GROUPS.items():
            yield self._timed(f"largest experiment: {what}", f"/v1/experiments/{self._largest}/{query}", 2)

    def figures(self) -> Iterator[Line]:
        """What reads points, or specs of many runs."""
        for what, query in (_GROUPS | _CURVES).items():
            yield self._timed(f"10 000 runs of 200 points: {what}", f"/v1/experiments/{self._drawn}/{query}", 2)
        for figure in self._figures():
            yield self._watched(f"figure of 10 000 runs of 200 points: {figure}", self._figure(self._drawn, figure))
        for figure in ("metrics", "sweep", "compare"):
            yield self._watched(f"figure of the largest experiment: {figure}", self._figure(self._largest, figure))
        yield self._watched("Parquet of 2 million points of 10 000 runs", self._export("trajectories"))
        yield self._watched("Parquet of 10 000 runs", self._export("runs"))

    def delete(self) -> str:
        """Delete the largest experiment; its id."""
        self._api.http.delete(f"/v1/experiments/{self._largest}").raise_for_status()
        return self._largest

    def submit(self) -> None:
        """Store an experiment of one run."""
        self._api.http.post("/v1/experiments", json={"run": SPEC}).raise_for_status()

    def _timed(self, what: str, path: str, times: int = TIMES) -> Line:
        worked = self._cpu()
        seconds = best_of(times, lambda: self._api.http.get(path).raise_for_status())
        worked = (self._cpu() - worked) / times
        return Line(what, f"{seconds * 1e3:,.0f} ms", f"{worked * 1e3:,.0f} ms")

    def _cpu(self) -> float:
        """Processor time of the API, and of the sessions of PostgreSQL that serve it."""
        sessions = (process for process in psutil.process_iter(["cmdline"]) if self._serves(process))
        return self._api.cpu_now() + sum(sum(process.cpu_times()[:2]) for process in sessions)

    def _serves(self, process: psutil.Process) -> bool:
        title = " ".join(process.info["cmdline"] or ())
        return title.startswith("postgres: ") and f" {self._database_name} " in title

    def _watched(self, what: str, path: str) -> Line:
        """Time of a single answer, and how far the API's memory goes up meanwhile."""
        before, watch, worked = self._api.bytes_now(), MemoryWatch(self._api), self._cpu()
        began = time.perf_counter()
        watch.start()
        size = 0
        with self._api.http.stream("GET", path) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_raw():
                size += len(chunk)
        seconds, more = time.perf_counter() - began, watch.finish() - before
        said = f"{seconds:,.1f} s; {size / 2**20:,.1f} MiB, memory +{max(more, 0) / 2**20:,.0f} MiB"
        return Line(what, said, f"{self._cpu() - worked:,.1f} s")

    def _listed(self, query: str) -> list[dict[str, Any]]:
        return self._api.http.get(f"/v1/experiments?{query}").raise_for_status().json()["items"]

    def _further(self, pages: int) -> str:
        path = "/v1/runs?order_by=summary.loss"
        cursor = ""
        for _ in range(pages):
            cursor = self._api.http.get(f"{path}{cursor}").raise_for_status().json()["next"]
            cursor = f"&cursor={cursor}"
        return f"{path}{cursor}"

    def _figures(self) -> list[str]:
        listed = self._api.http.get(f"/v1/experiments/{self._drawn}/figures").raise_for_status().json()
        return [figure["name"] for figure in listed["items"]]

    def _figure(self, experiment_id: str, name: str) -> str:
        return f"/v1/experiments/{experiment_id}/figures/{name}.png"

    def _export(self, what: str) -> str:
        return f"/v1/{what}?format=parquet&experiment_id={self._drawn}"


_THREE = "where=model.depth >= 3 AND summary.loss < 1e-3 AND outcome = 'converged'"
_PAGES = {
    "the first": "",
    "three clauses": _THREE,
    "three clauses, by loss": f"{_THREE}&order_by=summary.loss",
    "three clauses, by loss, descending": f"{_THREE}&order_by=-summary.loss",
    "three clauses that hold of few runs": "where=summary.loss < 1e-9 AND summary.effective_rank < 1e-3 AND seed > 10",
    "three clauses that hold of none": "where=model.depth = 3 AND summary.loss < 1e-30 AND status = 'succeeded'",
    "three clauses with a tag": "where=tags.size = '10' AND model.depth = 3 AND summary.loss < 1e-3",
    "three clauses, one read from JSON": "where=record.points_per_decade > 50 AND model.depth = 3 AND seed=77",
    "failed runs": "status=failed",
    "failed runs, newest first": "where=status = 'failed'&order_by=-created_at",
    "newest first": "order_by=-created_at",
    "by two fields": "order_by=model.depth, -summary.effective_rank",
}
_EXPERIMENTS = {
    "the first": "",
    "a name": "where=name LIKE '10 r%'",
    "a status": "where=status = 'failed'",
    "by their runs": "order_by=runs.total desc",
    "those with failed runs": "where=runs.failed > 5",
}
_GROUPS = {
    "quartiles of loss": "summary?metric=loss",
    "quartiles of three metrics by depth and rate": (
        "summary?metric=loss,effective_rank,stable_rank&group_by=model.depth,optimizer.learning_rate"
    ),
    "quartiles by depth of the converged": "summary?group_by=model.depth&where=outcome = 'converged'",
}
_CURVES = {"curves of loss": "curves?metric=loss&places=50"}


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
