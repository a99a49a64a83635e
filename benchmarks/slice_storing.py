"""What a slice costs the dispatcher: its lease, its messages and its storage: `python -m benchmarks.slice_storing`.

The first slice of 1024 runs of 2 x 2, of a fixed number of steps, is computed once and stored as that of several
leases, on SQLite and PostgreSQL; each number is the median. Messages are those of dask. Beside them stands the floor:
the slice's points by a bare executemany of rows made before, or a bare COPY of bytes made before, into the same table.
Times are of the wall, and in brackets of the CPU: this process's, and after a + that of PostgreSQL's process.
"""

import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import numpy as np
import psutil
import sqlalchemy as sa
from distributed.protocol.core import dumps, loads
from distributed.protocol.serialize import to_serialize

from benchmarks.scaling import BASIC
from benchmarks.store_speed import databases
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import leases
from service.store.copy_rows import copy_blocks, in_order
from service.store.database import Database
from service.store.leases import Lease
from service.store.migrate import migrate
from service.store.point_rows import value_rows
from service.store.postgresql import copy_in
from service.store.slices import apply_slice
from service.store.sqlite import execute_rows
from service.store.tables import trajectory_points
from service.use_cases.submissions import submit
from workers.records import Budget
from workers.results import SliceResult
from workers.slices import run_slice

RUNS, STEPS, TIMES = 1024, 1000, 7
"""Runs of a slice, steps of each (176 points or so), and how often everything is measured."""

Clocks = dict[str, list[tuple[float, ...]]]


def measure(url: str) -> dict[str, str]:
    """All costs on an empty database."""
    migrate(url)
    database, clocks = Database(url), defaultdict[str, list[tuple[float, ...]]](list)
    request = ExperimentRequest.model_validate({"run": BASIC, "sweep": [{"seed": list(range(RUNS))}]})
    for _ in range(TIMES):
        submit(database, request, Limits(max_steps_per_run=10**10), None)
    given = [_lease(database, clocks) for _ in range(TIMES)]
    result = run_slice(given[0].batch, Budget(600, STEPS))
    size = sum(memoryview(frame).nbytes for frame in dumps({"result": to_serialize(result)}))
    for lease in given:
        answer = _message(result, clocks)
        with _timed(clocks, "store", database), database.writing() as connection:
            assert apply_slice(connection, lease, answer, datetime.now(UTC)) == RUNS
    for _ in range(TIMES):
        _floor(database, given[0], result, clocks)
    database.close()
    count = len(result.points.member)
    return {"points": f"{count:,}", "message": f"{size / 1e6:.1f} MB", **{name: _text(clocks[name]) for name in clocks}}


def _lease(database: Database, clocks: Clocks) -> Lease:
    with database.reading() as connection:
        ((key, _row),) = leases.waiting_queues(connection, RUNS, 0)
    with _timed(clocks, "lease", database), database.writing() as connection:
        lease = leases.lease_runs(connection, key, RUNS, datetime.now(UTC))
    assert lease is not None
    return lease


def _message(result: SliceResult, clocks: Clocks) -> SliceResult:
    with _timed(clocks, "to frames"):
        frames = dumps({"result": to_serialize(result)})
    frames = [bytes(frame) for frame in frames]
    with _timed(clocks, "from frames"):
        read: Any = loads(frames)
        return read["result"]


def _floor(database: Database, lease: Lease, result: SliceResult, clocks: Clocks) -> None:
    """Store the points of a slice once more, from what is made before the clock starts."""
    columns = in_order({"run_id": np.array(lease.run_ids)[result.points.member], **result.points.columns})
    names = ", ".join(f'"{name}"' for name in columns)
    with database.writing() as connection:
        connection.execute(sa.delete(trajectory_points).where(trajectory_points.c.run_id.in_(lease.run_ids)))
    act: Callable[[sa.Connection], None]
    if database.one_writes_at_a_time:
        rows = list(value_rows(columns))
        statement = f"INSERT INTO trajectory_points ({names}) VALUES ({', '.join('?' * len(columns))})"
        act = lambda connection: execute_rows(connection, statement, rows)  # noqa: E731
    else:
        blocks = list(copy_blocks(trajectory_points, columns))
        copy = f"COPY trajectory_points ({names}) FROM STDIN (FORMAT BINARY)"
        act = lambda connection: copy_in(connection, copy, blocks)  # noqa: E731
    with _timed(clocks, "floor of points", database), database.writing() as connection:
        act(connection)


@contextmanager
def _timed(clocks: Clocks, name: str, database: Database | None = None) -> Generator[None]:
    gc.collect()
    server = None if database is None or database.one_writes_at_a_time else _server(database)
    of_server = [] if server is None else [server]
    before = [time.perf_counter(), time.process_time(), *(sum(one.cpu_times()[:2]) for one in of_server)]
    yield
    after = [time.perf_counter(), time.process_time(), *(sum(one.cpu_times()[:2]) for one in of_server)]
    clocks[name].append(tuple(end - begin for begin, end in zip(before, after, strict=True)))


def _server(database: Database) -> psutil.Process:
    """The process of the server that works for the only connection of the pool."""
    with database.writing() as connection:
        return psutil.Process(connection.scalar(sa.text("SELECT pg_backend_pid()")))


def _text(seconds: list[tuple[float, ...]]) -> str:
    wall, *cpu = (f"{1e3 * statistics.median(column):.1f}" for column in zip(*seconds, strict=True))
    return f"{wall} ({' + '.join(cpu)}) ms"


def main() -> None:
    """Measure and print."""
    with databases() as urls:
        measured = {name: measure(url) for name, url in urls.items()}
    print(f"| | {' | '.join(measured)} |\n|---|{'---|' * len(measured)}")
    for what in dict.fromkeys(chain.from_iterable(measured.values())):
        print(f"| {what} | {' | '.join(found[what] for found in measured.values())} |")


if __name__ == "__main__":
    main()
