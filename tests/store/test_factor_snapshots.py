"""Snapshots in the store: once, by whoever holds the lease; removed in pieces."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import expiry
from service.store import factor_snapshots as store
from service.store.tables import experiments, factor_snapshots, runs
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from tests.store.test_slices import lease
from tests.store.test_slices import store as apply
from workers.records import Budget
from workers.slices import run_slice

pytestmark = BOTH_DATABASES
RECORD = {"every": 0, "factors": {"every": 5}}


@pytest.fixture
def experiment(database):
    run = BASIC | {"stop": {"max_steps": 50}, "record": RECORD}
    return submit(database, ExperimentRequest(run=run, sweep=[{"seed": [0, 1, 2]}]), Limits(), None).experiment


def all_rows(database):
    with database.reading() as connection:
        return connection.execute(sa.select(factor_snapshots).order_by(*factor_snapshots.primary_key)).all()


def test_a_slice_applied_twice_stores_them_once(database, experiment):
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 22))
    assert apply(database, one, result) == 3
    once = all_rows(database)
    assert [(row.run_id, row.step) for row in once] == [(run, step) for run in (1, 2, 3) for step in range(0, 23, 5)]
    assert apply(database, one, result) == 0
    assert all_rows(database) == once


def test_a_slice_computed_again_changes_none(database, experiment):
    """After a crash between its storing and its notice, say."""
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 22))
    with database.writing() as connection:
        for _ in range(2):
            store.insert_snapshots(connection, dict(enumerate(one.run_ids)), result.kept)
    assert len(all_rows(database)) == 15


def test_runs_that_lost_their_lease_keep_none(database, experiment):
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 22))
    with database.writing() as connection:
        connection.execute(sa.update(runs).where(runs.c.id != 2).values(lease_token=None))
    assert apply(database, one, result) == 1
    assert {row.run_id for row in all_rows(database)} == {2}


@pytest.mark.parametrize("limits", [{"MOST_ROWS": 4}, {"MOST_BYTES": 300}, {"MOST_BYTES": 1}])
def test_they_are_removed_in_pieces_before_their_runs(database, experiment, monkeypatch, limits):
    for name, value in limits.items():
        monkeypatch.setattr(store, name, value)
    one = lease(database)
    apply(database, one, run_slice(one.batch, Budget(60)))
    assert len(all_rows(database)) == 33
    now = datetime.now(UTC)
    with database.writing() as connection:
        assert expiry.expire(connection, experiment.id, now)
    left = [33]
    while True:
        with database.writing() as connection:
            if not expiry.remove_piece(connection, now + timedelta(seconds=1)):
                break
        left.append(len(all_rows(database)))
    assert max(before - after for before, after in itertools.pairwise(left)) <= limits.get("MOST_ROWS", 3)
    assert left[-1] == 0
    with database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(experiments)) == 0
