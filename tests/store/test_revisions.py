"""Revisions: whoever reads one finds all that was changed up to it, whichever transaction began first."""

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from service.store.experiments import insert_experiment, insert_runs
from service.store.revisions import CURRENT, read_progress, take_revision
from service.store.run_rows import new_run
from service.store.tables import runs
from service.use_cases.events import FROM_THE_START, read_events
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import spec

pytestmark = BOTH_DATABASES
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def experiment(database):
    values = {"public_id": "e", "name": "", "tags": {}, "run": {}, "sweep": [], "created_at": NOW, "body_digest": "d"}
    with database.writing() as connection:
        insert_runs(
            connection,
            insert_experiment(connection, values),
            [new_run(spec(seed=seed), seed, NOW) for seed in range(3)],
        )


def end(connection, index):
    which = runs.c.index == index
    take_revision(connection, which)
    connection.execute(sa.update(runs).where(which).values(status="succeeded", revision=CURRENT))


def end_and_fail(database):
    with database.writing() as connection:
        end(connection, 1)
        raise ZeroDivisionError


def seen(database, after):
    with database.reading() as connection:
        reading = read_events(connection, "e", after)
    assert reading is not None
    return [(event.id, event.kind, event.data.get("index")) for event in reading.events]


def test_a_transaction_that_began_earlier_and_commits_later_is_not_missed(experiment, database):
    """The later one waits for the revision of the earlier one, so no reader can step over it."""
    has_first, may_commit = threading.Event(), threading.Event()

    def first():
        with database.writing() as connection:
            end(connection, 0)
            has_first.set()
            may_commit.wait(10)

    def second():
        with database.writing() as connection:
            end(connection, 1)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    has_first.wait(10)
    threads[1].start()
    threads[1].join(0.3)
    assert threads[1].is_alive()
    assert [kind for _, kind, _ in seen(database, FROM_THE_START)] == ["progress"]
    may_commit.set()
    for thread in threads:
        thread.join(10)
    told = seen(database, FROM_THE_START)
    assert [index for _, kind, index in told if kind == "run"] == [0, 1]


def test_revisions_rise_by_one_and_a_rolled_back_one_leaves_no_gap(experiment, database):
    with database.writing() as connection:
        end(connection, 0)
    with pytest.raises(ZeroDivisionError):
        end_and_fail(database)
    with database.writing() as connection:
        end(connection, 2)
    with database.reading() as connection:
        progress = read_progress(connection, "e")
    assert progress is not None
    assert (progress["revision"], progress["queued"], progress["succeeded"]) == (2, 1, 2)


def test_events_go_on_from_any_other(experiment, database):
    for index in (2, 0, 1):
        with database.writing() as connection:
            end(connection, index)
    told = seen(database, FROM_THE_START)
    assert [(kind, index) for _, kind, index in told] == [
        ("run", 2),
        ("run", 0),
        ("run", 1),
        ("progress", None),
        ("done", None),
    ]
    for place, (number, *_) in enumerate(told):
        assert seen(database, number) == told[place + 1 :]
