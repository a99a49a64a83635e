"""A convex solve, which nothing can interrupt from within, ends with its worker once it is cancelled."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

SECONDS_TO_BEGIN, SECONDS_TO_END = 60.0, 30.0
SLICE_SECONDS = 0.5


def solve(size: int) -> dict:
    """Takes Clarabel most of a minute of computing, and half a gigabyte."""
    problem = {"kind": "low_rank_completion", "shape": [size, size], "rank": 2, "observed": 900}
    return {"run": {"problem": problem, "model": {"kind": "nuclear_norm", "solver": "clarabel"}}}


def until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def processes(server: Server) -> set[psutil.Process]:
    return set(psutil.Process(server.process.pid).children(recursive=True))


def test_cancelled_solves_leave_their_workers_to_others(tmp_path: Path):
    """Both workers solve; both are replaced, and a short run is computed at once."""
    with Server(tmp_path, workers=2, RANKWARD_SLICE_SECONDS=str(SLICE_SECONDS)) as server:
        client = server.client
        solves = [client.submit(solve(size))["id"] for size in (40, 41)]
        until(lambda: all(client.experiment(id_)["runs"]["running"] for id_ in solves), SECONDS_TO_BEGIN)
        time.sleep(5)
        assert [client.experiment(id_)["status"] for id_ in solves] == ["running", "running"]
        before = processes(server)
        for experiment in solves:
            client.cancel(experiment)
        short = client.submit({"run": BASIC})["id"]
        until(lambda: len(before - processes(server)) >= 2, SECONDS_TO_END)
        until(lambda: client.experiment(short)["status"] == "succeeded", SECONDS_TO_END)
        assert [client.experiment(id_)["status"] for id_ in solves] == ["cancelled", "cancelled"]
