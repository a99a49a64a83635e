"""Many clients at once, some of them repeating themselves: every submission is stored once and every run computed."""

import time

from benchmarks.submission_load import submit_many
from tests.helpers import coroutines
from tests.helpers.servers import Server

SUBMISSIONS = 200


def test_submissions_of_fifty_clients_are_stored_once_each(tmp_path):
    with Server(tmp_path) as server:
        load = coroutines.run(submit_many(server.url, SUBMISSIONS, clients=50))
        assert set(load.statuses) == {200, 202}
        assert load.statuses[202] == SUBMISSIONS
        assert len(load.experiments) == SUBMISSIONS
        assert all(len(ids) == 1 for ids in load.experiments.values())
        deadline = time.monotonic() + 120
        while any(run["status"] in ("queued", "running") for run in server.client.runs()):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        runs = list(server.client.runs())
        assert {run["experiment_id"] for run in runs} == set.union(*load.experiments.values())
        assert len(runs) == SUBMISSIONS
        assert {run["status"] for run in runs} == {"succeeded"}
        assert {run["spec"]["seed"] for run in runs} == set(range(SUBMISSIONS))
