"""Phases in the store: a batch holds runs of one phase, and a slice across a border is stored once."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import leases
from service.store.slices import apply_slice
from service.store.tables import checkpoints, runs, summaries, trajectory_points
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.records import Budget
from workers.slices import run_slice

pytestmark = BOTH_DATABASES
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADAM = {"optimizer": {"kind": "adam", "learning_rate": 0.01}, "stop": {"max_steps": 30}}
RUN = {**BASIC, "record": {"every": 8}, "phases": [ADAM, {"problem": {"epsilon": 0.5}, "stop": {"max_steps": 20}}]}


@pytest.fixture(autouse=True)
def experiment(database):
    request = ExperimentRequest(run=RUN, sweep=[{"stop.max_steps": [20, 45, 70]}])
    return submit(database, request, Limits(), None).experiment


def queues(database):
    with database.reading() as connection:
        return [key for key, _ in leases.waiting_queues(connection, 100, 100)]


def lease(database, key):
    with database.writing() as connection:
        return leases.lease_runs(connection, key, 10, NOW)


def store(database, one, result):
    with database.writing() as connection:
        return apply_slice(connection, one, result, NOW)


def everything(database, but=("compute_seconds", "lease_token", "id", "run_id", "revision")):
    with database.reading() as connection:
        kept = []
        for table in (runs, summaries, checkpoints, trajectory_points):
            rows = connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            kept.append([{name: value for name, value in row.items() if name not in but} for row in rows])
        return kept


def advance(database, steps, *, twice=False, lost=0):
    """A slice of every queue; the first `lost` ones are computed in vain, as by workers that are killed."""
    for number, key in enumerate(queues(database)):
        one = lease(database, key)
        result = run_slice(one.batch, Budget(60, steps))
        if number < lost:
            with database.writing() as connection:
                leases.release_strays(connection, leases.NO_DISPATCHER, [])
            assert store(database, one, result) == 0
            continue
        assert store(database, one, result) == len(one.run_ids)
        if twice:
            once = everything(database, but=())
            assert store(database, one, result) == 0
            assert everything(database, but=()) == once


def test_runs_share_batches_phase_by_phase(database):
    assert len(queues(database)) == 1
    advance(database, 50)  # two runs are in their second phase
    keys = [str(key.batch_key) for key in queues(database)]
    assert sorted("adam" in key for key in keys) == [False, True]
    sizes = {str(key.batch_key): len(lease(database, key).run_ids) for key in queues(database)}
    assert [sizes[key] for key in sorted(sizes, key=lambda key: "adam" in key)] == [1, 2]


def test_checkpoints_come_back_with_the_ends_of_phases(database):
    advance(database, 50)
    ends = {}
    for key in queues(database):
        one = lease(database, key)
        ends |= {
            number: member.checkpoint.phase_ends for number, member in zip(one.run_ids, one.batch.members, strict=True)
        }
    assert [ends[number] for number in sorted(ends)] == [((20, 0.2),), ((45, 0.45),), ()]


@pytest.mark.parametrize("steps", [7, 25, 1000])
def test_slices_stored_twice_and_lost_change_nothing(database, steps):
    for round_ in range(100):
        if not queues(database):
            break
        advance(database, steps, twice=True, lost=round_ % 2)
    torn = everything(database)
    with database.writing() as connection:
        for table in (trajectory_points, summaries, checkpoints, runs):
            connection.execute(sa.delete(table))
    submit(database, ExperimentRequest(run=RUN, sweep=[{"stop.max_steps": [20, 45, 70]}]), Limits(), None)
    while queues(database):
        advance(database, 1000)
    quiet = everything(database)
    for rows, theirs in zip(torn, quiet, strict=True):
        for row, other in zip(rows, theirs, strict=True):
            different = {name for name in row if row[name] != other[name]}
            assert different <= {"public_id", "experiment_id", "created_at", "batch_limit"}
    assert [row["status"] for row in quiet[0]] == ["succeeded"] * 3
    assert [row["step"] for row in quiet[0]] == [70, 95, 120]
