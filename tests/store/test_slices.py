"""How slices are leased, stored once, given back and given up."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import leases
from service.store.slices import apply_slice, fail_slice
from service.store.tables import checkpoints, runs, summaries, trajectory_points
from service.use_cases.experiments import cancel, delete
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.records import Budget
from workers.slices import run_slice

pytestmark = BOTH_DATABASES
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def experiment(database):
    request = ExperimentRequest(run=BASIC, sweep=[{"seed": [0, 1, 2]}])
    return submit(database, request, Limits(), None).experiment


def lease(database, most=10):
    with database.writing() as connection:
        (queue,) = leases.waiting_queues(connection, 100, 100)
        return leases.lease_runs(connection, queue[0], most, NOW)


def store(database, one, result):
    with database.writing() as connection:
        return apply_slice(connection, one, result, NOW)


def everything(database):
    with database.reading() as connection:
        tables = (runs, summaries, checkpoints, trajectory_points)
        return [connection.execute(sa.select(table).order_by(*table.primary_key)).all() for table in tables]


def test_leased_runs_are_no_longer_waiting(database, experiment):
    first, second = lease(database, most=2), lease(database)
    assert len(first.run_ids) == 2
    assert len(second.run_ids) == 1
    assert not set(first.run_ids) & set(second.run_ids)
    with database.reading() as connection:
        assert leases.waiting_queues(connection, 100, 100) == []


def test_queues_are_told_apart_and_counted_no_further_than_asked(database, experiment):
    other = ExperimentRequest(run=BASIC | {"model": {"kind": "deep_matrix", "depth": 2}}, sweep=[{"seed": [0, 1]}])
    submit(database, other, Limits(), None)
    with database.writing() as connection:
        connection.execute(sa.update(runs).where(runs.c.id == 2).values(batch_limit=1))
        found = leases.waiting_queues(connection, 1, 0)
        all_of_them = leases.waiting_queues(connection, 10, 0)
    seen = {(queue["first_run"], key.batch_limit, queue["waiting"]) for key, queue in all_of_them}
    assert seen == {(1, None, 2), (2, 1, 1), (4, None, 2)}
    assert [queue["waiting"] for _, queue in found] == [1, 1, 1]
    assert len({key.batch_key for key, _ in found}) == 2


def test_a_slice_applied_twice_changes_nothing_twice(database, experiment):
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 50))
    assert store(database, one, result) == 3
    once = everything(database)
    assert len(once[3]) > 0
    assert store(database, one, result) == 0
    assert everything(database) == once


def test_a_slice_whose_lease_was_lost_changes_nothing(database, experiment):
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 50))
    with database.writing() as connection:
        assert leases.release_strays(connection, leases.NO_DISPATCHER, []) == 3
    before = everything(database)
    assert store(database, one, result) == 0
    assert everything(database) == before
    again = lease(database)
    assert store(database, again, run_slice(again.batch, Budget(60, 50))) == 3


def test_runs_of_slices_in_flight_are_not_given_back(database, experiment):
    one, other = lease(database, most=2), lease(database)
    with database.writing() as connection:
        assert leases.release_strays(connection, leases.NO_DISPATCHER, [one.token, other.token]) == 0
        assert leases.release_strays(connection, leases.NO_DISPATCHER, [one.token]) == 1
    assert store(database, one, run_slice(one.batch, Budget(60, 50))) == 2


def test_a_run_cancelled_while_it_is_computed_stays_cancelled(database, experiment):
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 50))
    cancel(database, experiment.id)
    assert store(database, one, result) == 0
    assert {row.status for row in everything(database)[0]} == {"cancelled"}


def test_a_deleted_experiment_leaves_nothing(database, experiment):
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 50))
    store(database, one, result)
    two = lease(database)
    delete(database, experiment.id)
    assert store(database, two, run_slice(two.batch, Budget(60, 50))) == 0
    assert everything(database) == [[], [], [], []]


def test_a_batch_that_fails_is_halved_until_the_guilty_run_is_alone_and_given_up(database, experiment):
    sizes = []
    for _ in range(20):
        with database.reading() as connection:
            queues = leases.waiting_queues(connection, 100, 100)
        if not queues:
            break
        with database.writing() as connection:
            one = leases.lease_runs(connection, queues[0][0], 10**6, NOW)
            size = queues[0][0].batch_limit or len(one.run_ids)
            leases.release_lease(connection, one.token)
            one = leases.lease_runs(connection, queues[0][0], size, NOW)
            sizes.append(len(one.run_ids))
            guilty = 2 in one.run_ids
            if guilty:
                fail_slice(connection, one, "Killed: it was run 2", most_attempts=3, now=NOW)
        if not guilty:
            store(database, one, run_slice(one.batch, Budget(60)))
    rows = everything(database)[0]
    assert [row.status for row in rows] == ["succeeded", "failed", "succeeded"]
    assert rows[1].error == "Killed: it was run 2"
    assert sizes[0] == 3
    assert sizes.count(1) >= 3


def test_checkpoints_come_back_as_they_were(database, experiment):
    one = lease(database)
    result = run_slice(one.batch, Budget(60, 50))
    store(database, one, result)
    for member, progress in zip(lease(database).batch.members, result.progress, strict=True):
        assert member.checkpoint.step == progress.checkpoint.step
        assert member.checkpoint.state.tobytes() == progress.checkpoint.state.tobytes()
        assert member.checkpoint.milestones.tolist() == progress.checkpoint.milestones.tolist()
