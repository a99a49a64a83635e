"""Real dispatchers that share one PostgreSQL, with stand-in workers: `python -m benchmarks.shared_dispatching`.

Each dispatcher is a process with its loop, its heart and its lease. Its workers return a recorded slice at once, which
leaves what a slice costs the dispatchers and the server. On cores that are shared, seconds of the CPU are what counts;
slices a second say how busy the machine was, too.
"""

import multiprocessing
import signal
import statistics
import sys
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
import sqlalchemy as sa

from benchmarks.scaling import BASIC
from service.dispatch import planner
from service.dispatch.heart import beating
from service.dispatch.loop import Dispatcher
from service.dispatch.membership import Membership
from service.processes import logs
from service.schemas.requests import ExperimentRequest
from service.settings import Limits, Settings
from service.store import leases
from service.store.database import Database
from service.store.migrate import migrate
from service.store.tables import dispatchers, runs
from service.use_cases.submissions import submit
from tests.helpers.postgresql import PostgreSQL
from workers.records import Batch, Budget
from workers.results import SliceResult
from workers.slices import run_slice

RUNS, STEPS, WORKERS = 128, 1000, 2
"""Runs of a slice, steps of each, and stand-in workers of each dispatcher."""

ORDER = (3, 2, 1, 1, 2, 3)
"""How many dispatchers are measured, one after the other; the machine's other work is then spread over all of them."""

WORKLOADS = {"first slices": (100, 60), "later slices": (3, 600)}
"""Points a decade, and slices to measure: a first slice passes decades of the schedule, a later one does not."""

SLICES_TO_WARM_UP, SLICES_IN_FLIGHT = 6, 12
"""Slices stored by all dispatchers before the clock starts, and at most in flight when it stops."""


class StandIns:
    """Workers that return the same result for every batch of its size; a cluster of the loop's."""

    def __init__(self, result: SliceResult) -> None:
        self._result = result

    def worker_count(self) -> int:
        return WORKERS

    def may_have_gpus(self) -> bool:
        return True

    def submit(self, batch: Batch, budget: Budget) -> Future[SliceResult]:
        future: Future[SliceResult] = Future()
        assert len(batch.members) == RUNS, "the queue is nearly empty"
        future.set_result(self._result)
        return future

    def abandon(self, slice_: Future[SliceResult]) -> None:
        slice_.cancel()

    def close(self) -> None:
        """Nothing to stop."""


@dataclass(frozen=True)
class Rate:
    """What some slices took: seconds of the wall, and of the CPU, of all dispatchers and of the server."""

    slices: float
    wall: float
    dispatchers: float
    server: float


def dispatch(url: str, result: SliceResult) -> None:
    """Be a dispatcher until SIGTERM."""
    logs.configure("dispatcher")
    planner.MOST_RUNS_PER_BATCH = RUNS
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    database = Database(url)
    membership = Membership(database, None, 10.0)
    assert membership.try_to_join()
    with beating(membership):
        Dispatcher(database, StandIns(result), Settings(poll_seconds=0.01), membership, stopping).run()
    database.close()


def fill(url: str, points_per_decade: int, slices: int) -> SliceResult:
    """Submit the runs of some slices, each of which is over when it is stored; returns the result of one slice."""
    migrate(url)
    database = Database(url)
    run = {**BASIC, "stop": {"max_steps": STEPS}, "record": {"points_per_decade": points_per_decade}}
    request = ExperimentRequest.model_validate({"run": run, "sweep": [{"seed": list(range(RUNS))}]})
    for _ in range(slices):
        submit(database, request, Limits(), None)
    with database.reading() as connection:
        ((key, _row),) = leases.waiting_queues(connection, RUNS, 0)
    with database.writing() as connection:
        lease = leases.lease_runs(connection, key, RUNS, datetime.now(UTC))
        assert lease is not None
        leases.release_lease(connection, lease.token)
    database.close()
    return run_slice(lease.batch, Budget(600))


def measure(server: PostgreSQL, url: str, result: SliceResult, count: int, slices: int) -> Rate:
    """Let so many dispatchers store so many slices."""
    database = Database(url)
    with _started(url, result, count) as started:
        while _members(database) < count:
            time.sleep(0.05)
        _wait_for(database, _stored(database) + SLICES_TO_WARM_UP)
        before = (_stored(database), time.perf_counter(), _seconds(started), _server_seconds(server))
        _wait_for(database, before[0] + slices)
        after = (_stored(database), time.perf_counter(), _seconds(started), _server_seconds(server))
    database.close()
    return Rate(*(end - begin for begin, end in zip(before, after, strict=True)))


@contextmanager
def _started(url: str, result: SliceResult, count: int) -> Generator[list[psutil.Process]]:
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=dispatch, args=(url, result), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield [psutil.Process(process.pid) for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(60)


def _stored(database: Database) -> float:
    with database.reading() as connection:
        over = sa.select(sa.func.count()).where(runs.c.status == "succeeded")
        return (connection.scalar(over) or 0) / RUNS


def _members(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(dispatchers)) or 0


def _wait_for(database: Database, slices: float) -> None:
    while _stored(database) < slices:
        time.sleep(0.05)


def _seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _server_seconds(server: PostgreSQL) -> float:
    return _seconds(psutil.Process(server.process.pid).children())


def main() -> None:
    """Measure and print."""
    print("| | dispatchers | slices a second | CPU of dispatchers, ms a slice | of the server | cores busy with both |")
    print("|---|---|---|---|---|---|")
    for name, (points_per_decade, slices) in WORKLOADS.items():
        with PostgreSQL() as server:
            template = server.create()
            most = 2 * slices + SLICES_TO_WARM_UP + SLICES_IN_FLIGHT  # some are stored while dispatchers start
            result = fill(server.url(template), points_per_decade, most)
            rates: dict[int, list[Rate]] = {count: [] for count in ORDER}
            for count in ORDER:
                with server.database(template) as url:
                    rates[count].append(measure(server, url, result, count, slices))
                    print(f"{name}, {count}: {_text(rates[count][-1:])}", file=sys.stderr, flush=True)
        for count, of_count in rates.items():
            print(f"| {name}, {len(result.points.member):,} points | {count} | {_text(of_count)} |", flush=True)


def _text(rates: Sequence[Rate]) -> str:
    def each(of: list[float], form: str) -> str:
        return ", ".join(format(number, form) for number in of)

    cores = statistics.mean((rate.dispatchers + rate.server) / rate.wall for rate in rates)
    columns = [
        each([rate.slices / rate.wall for rate in rates], ".2f"),
        each([1e3 * rate.dispatchers / rate.slices for rate in rates], ".0f"),
        each([1e3 * rate.server / rate.slices for rate in rates], ".0f"),
        f"{cores:.2f}",
    ]
    return " | ".join(columns)


if __name__ == "__main__":
    main()
