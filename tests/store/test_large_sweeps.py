"""Sweeps that take many transactions: seen at once or not at all, whatever happens in between, on both databases."""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from service.errors import BeingStored, IdempotencyConflict, InvalidPayload, NotFound, NotReady, TryLater
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import expiry
from service.store.tables import experiments, runs
from service.use_cases import storing
from service.use_cases.experiments import cancel, delete, get_experiment, list_experiments
from service.use_cases.keys import Holder
from service.use_cases.listing import ListQuery
from service.use_cases.runs import list_runs
from service.use_cases.submissions import dry_run, submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC
from workers.runs.spec import RunSpec

pytestmark = BOTH_DATABASES

SWEEP = [{"init.std": [0.01, 0.02]}, {"seed": list(range(10))}, {"model.depth": [2, 3]}]
REQUEST = ExperimentRequest(run=BASIC, sweep=SWEEP)
RUNS, RUNS_OF_A_PIECE = 40, 7


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(storing, "MOST_RUNS_OF_A_PIECE", RUNS_OF_A_PIECE)
    monkeypatch.setattr("service.use_cases.experiments.RUNS_AT_ONCE", 7)
    monkeypatch.setattr("service.use_cases.experiments.SECONDS_TO_REMOVE", 60)
    monkeypatch.setattr(expiry, "MOST_RUNS", 7)


@pytest.fixture
def transactions(database, monkeypatch):
    """What is called before each writing transaction."""
    before = list[Any]()
    writing = database.writing

    @contextmanager
    def watched():
        for act in list(before):
            act()
        with writing() as connection:
            yield connection

    monkeypatch.setattr(database, "writing", watched)
    monkeypatch.setattr(database._shared_writes, "_writing", watched)
    return before


def seen(database):
    """What clients see of experiments and runs, and what views show."""
    query = ListQuery()
    shown = list_experiments(database, query, 100, Limits()).items
    with database.reading() as connection:
        views = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {view}").scalar()
            for view in ("experiment_summary", "run_summary")
        ]
    return len(shown), len(list_runs(database, query, None, 1000, Limits())["items"]), *views


def stored(database):
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(runs))


def clean(database):
    """Remove what has expired, or would have in a while."""
    while True:
        with database.writing() as connection:
            if not expiry.remove_piece(connection, datetime.now(UTC) + timedelta(hours=1)):
                return


def test_nothing_is_seen_before_all_is_stored_and_then_all(database, transactions):
    states = list[tuple[int, ...]]()
    transactions.append(lambda: states.append((stored(database), *seen(database))))
    submission = submit(database, REQUEST, Limits(), "key")
    assert [state[0] for state in states] == [0, 0, 7, 14, 21, 28, 35, 40]
    assert {state[1:] for state in states} == {(0, 0, 0, 0)}
    assert seen(database) == (1, RUNS, 1, RUNS)
    assert submission.is_new
    assert submission.experiment.runs.total == submission.experiment.runs.queued == RUNS
    again = submit(database, REQUEST, Limits(), "key")
    assert (again.is_new, again.experiment.id) == (False, submission.experiment.id)
    with pytest.raises(IdempotencyConflict):
        submit(database, ExperimentRequest(run=BASIC), Limits(), "key")


def test_the_runs_are_those_of_the_sweep_in_its_order(database):
    submit(database, REQUEST, Limits(), None)
    with database.reading() as connection:
        rows = connection.execute(sa.select(runs).order_by(runs.c.index)).mappings().all()
    expected = [(s, seed, d) for s in (0.01, 0.02) for seed in range(10) for d in (2, 3)]
    assert [(row["init_std"], int(row["seed"]), row["depth"]) for row in rows] == expected
    assert [row["index"] for row in rows] == list(range(RUNS))
    specs = [RunSpec.model_validate(row["spec"]) for row in rows]
    assert [(spec.init.std, spec.seed, spec.model.depth) for spec in specs] == expected
    assert all(spec.resolved() == row["spec"] for spec, row in zip(specs, rows, strict=True))
    assert dry_run(database, REQUEST, Limits()).cost.max_multiply_adds == sum(row["max_multiply_adds"] for row in rows)


@pytest.mark.parametrize("piece", range(8))
def test_what_a_failure_leaves_is_never_seen_and_is_removed(database, transactions, piece):
    left = [piece]

    def fail():
        left[0] -= 1
        if left[0] == -1:
            raise RuntimeError("the process is out of luck")

    transactions.append(fail)
    with pytest.raises(RuntimeError):
        submit(database, REQUEST, Limits(), "key")
    transactions.clear()
    assert seen(database) == (0, 0, 0, 0)
    assert submit(database, REQUEST, Limits(), "key").is_new
    clean(database)
    assert seen(database) == (1, RUNS, 1, RUNS)
    assert stored(database) == RUNS


KILLED = """
import os, signal, sys
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store.database import Database
from service.use_cases import storing
from service.use_cases.submissions import submit

storing.MOST_RUNS_OF_A_PIECE = 7
insert, left = storing.store.insert_runs, [3]

def insert_or_die(*arguments):
    insert(*arguments)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

storing.store.insert_runs = insert_or_die
submit(Database(sys.argv[1]), ExperimentRequest.model_validate_json(sys.argv[2]), Limits(), "key")
"""


def test_a_killed_process_leaves_nothing_and_its_key_is_free_again(database, monkeypatch):
    ended = subprocess.run([sys.executable, "-c", KILLED, database.url, REQUEST.model_dump_json()], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert stored(database) == 14
    assert seen(database) == (0, 0, 0, 0)
    with pytest.raises(BeingStored):
        submit(database, REQUEST, Limits(), "key")
    with database.writing() as connection:
        connection.execute(sa.update(experiments).values(expires_at=datetime.now(UTC)))
    assert submit(database, REQUEST, Limits(), "key").is_new
    clean(database)
    assert seen(database) == (1, RUNS, 1, RUNS)
    assert stored(database) == RUNS


def test_a_storing_that_stood_still_too_long_gives_up(database, transactions):
    pieces = list[None]()

    def expire_at_the_fourth():
        pieces.append(None)
        if len(pieces) == 4:
            transactions.clear()
            clean(database)

    transactions.append(expire_at_the_fourth)
    with pytest.raises(NotReady, match="try again"):
        submit(database, REQUEST, Limits(), "key")
    assert stored(database) == 0
    assert submit(database, REQUEST, Limits(), "key").is_new


def test_of_two_at_once_under_one_key_one_is_stored(database, transactions):
    begun, answers = threading.Event(), []
    transactions.append(begun.set)

    def other():
        begun.wait(30)
        while not answers:
            try:
                answers.append(submit(database, REQUEST, Limits(), "key"))
            except BeingStored:
                continue

    thread = threading.Thread(target=other)
    thread.start()
    first = submit(database, REQUEST, Limits(), "key")
    thread.join(60)
    assert answers[0].experiment.id == first.experiment.id
    assert sorted([first.is_new, answers[0].is_new]) == [False, True]
    assert seen(database) == (1, RUNS, 1, RUNS)


def test_cancelling_goes_in_pieces(database, transactions):
    experiment_id = submit(database, REQUEST, Limits(), None).experiment.id
    cancelled = list[int]()
    transactions.append(lambda: cancelled.append(get_experiment(database, experiment_id).runs.cancelled))
    assert cancel(database, experiment_id).runs.cancelled == RUNS
    assert cancelled == [0, 7, 14, 21, 28, 35, 40]


def test_a_deletion_is_complete_for_clients_at_once(database, transactions):
    experiment_id, kept = (submit(database, REQUEST, Limits(), key).experiment.id for key in ("a", "b"))
    run_id = list_runs(database, ListQuery(experiment_id=experiment_id), None, 1, Limits())["items"][0]["id"]
    states = list[tuple[int, ...]]()
    transactions.append(lambda: states.append((stored(database), *seen(database))))
    delete(database, experiment_id)
    assert [state[0] for state in states] == [80, 80, 73, 66, 59, 52, 45, 40, 40]
    assert {state[1:] for state in states[1:]} == {(1, RUNS, 1, RUNS)}
    transactions.clear()
    with pytest.raises(NotFound):
        delete(database, experiment_id)
    with pytest.raises(NotFound):
        get_experiment(database, experiment_id)
    assert get_experiment(database, kept).runs.total == RUNS
    assert run_id not in str(list_runs(database, ListQuery(), None, 1000, Limits()))
    assert submit(database, REQUEST, Limits(), "a").is_new


def holder(runs):
    return Holder(1, "rw_1", frozenset({"write"}), {"max_unfinished_runs": runs, "max_unfinished_multiply_adds": 1e30})


def test_quotas_hold_for_what_is_stored_in_pieces(database, transactions):
    with pytest.raises(InvalidPayload, match="max_unfinished_runs"):
        submit(database, REQUEST, Limits(), None, holder(RUNS - 1))
    assert stored(database) == 0

    def another():
        if stored(database) <= RUNS_OF_A_PIECE:
            return
        transactions.clear()
        submit(database, ExperimentRequest(run=BASIC), Limits(), None, holder(RUNS))

    submit(database, REQUEST, Limits(), "key", holder(RUNS))
    with pytest.raises(TryLater):
        submit(database, REQUEST, Limits(), "other", holder(RUNS))
    delete(database, list_experiments(database, ListQuery(), 1, Limits()).items[0].id)
    transactions.append(another)
    with pytest.raises(TryLater):
        submit(database, REQUEST, Limits(), "other", holder(RUNS))
    clean(database)
    assert seen(database) == (1, 1, 1, 1)


def test_specs_of_many_bytes_make_small_pieces(database, transactions, monkeypatch):
    monkeypatch.setattr(storing, "MOST_BYTES_OF_A_PIECE", 3 * len(REQUEST.model_dump_json()))
    pieces = list[int]()
    transactions.append(lambda: pieces.append(stored(database)))
    submit(database, REQUEST, Limits(), None)
    assert max(later - earlier for earlier, later in pairwise(pieces)) < 7
    assert seen(database) == (1, RUNS, 1, RUNS)
