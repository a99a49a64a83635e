"""Submissions of many clients at once, while another process has the database."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from service.use_cases import storing
from tests.helpers.specs import BASIC


@pytest.fixture
def commits(api):
    """What the API has committed since, one entry each."""
    found = []
    sa.event.listen(api.app.state.database._engine, "commit", found.append)
    return found


@contextmanager
def waiting_together(api, settings, bodies):
    """Posts that are all under way before the database is free; yields the futures of their answers."""
    other = sqlite3.connect(settings.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(len(bodies)) as threads:
        futures = [threads.submit(api.post, "/v1/experiments", json=body, headers=headers) for body, headers in bodies]
        while len(api.app.state.database._shared_writes._waiting) < len(bodies) - 1:  # one leads, and waits for SQLite
            time.sleep(0.001)
        other.execute("COMMIT")
        yield futures
    other.close()


def test_those_that_wait_share_a_transaction_and_are_answered_each_for_itself(api, settings, commits):
    bodies = [({"name": str(number), "run": BASIC}, {"Idempotency-Key": f"k{number % 7}"}) for number in range(8)]
    with waiting_together(api, settings, bodies) as futures:
        answers = [future.result(30) for future in futures]
    assert sorted(answer.status_code for answer in answers) == [202] * 7 + [422]
    assert len(commits) == 1
    stored = {one["id"]: one["name"] for one in api.get("/v1/experiments").json()["items"]}
    assert stored == {answer.json()["id"]: answer.json()["name"] for answer in answers if answer.is_success}


def test_a_large_one_has_a_transaction_of_its_own(api, commits, monkeypatch):
    monkeypatch.setattr(storing, "MOST_RUNS_OF_SMALL_WRITE", 2)
    shared = []
    monkeypatch.setattr(api.app.state.database._shared_writes, "write", shared.append)
    assert api.post("/v1/experiments", json={"run": BASIC, "sweep": [{"seed": [0, 1, 2]}]}).status_code == 202
    assert not shared
    assert len(commits) == 1
