"""Versions of runs: another one whenever a run or its points show something else, through every way a run changes."""

from datetime import UTC, datetime

import orjson
import pytest

from service.exports.formats import FORMATS
from service.schemas.requests import ExperimentChanges, ExperimentRequest, Extension
from service.settings import Limits
from service.store import leases
from service.store.slices import apply_slice, fail_slice
from service.use_cases import continuations, experiments
from service.use_cases.events import FROM_THE_START, read_events
from service.use_cases.exports import export_trajectory
from service.use_cases.listing import ListQuery
from service.use_cases.runs import cancel_run, get_run, list_runs, run_version
from service.use_cases.submissions import submit
from service.use_cases.trajectories import PointQuery
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC, FLOW
from workers.records import Budget
from workers.slices import run_slice

pytestmark = BOTH_DATABASES
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits()
SHORT = BASIC | {"stop": {"max_steps": 60}}


class Run:
    """The first run of a new experiment, and all that was seen of it."""

    def __init__(self, database, spec, runs=1):
        request = ExperimentRequest(run=spec, sweep=[{"seed": list(range(runs))}])
        self.database = database
        self.experiment = submit(database, request, LIMITS, None).experiment.id
        query = ListQuery(experiment_id=self.experiment)
        self.id = list_runs(database, query, None, 1, LIMITS)["items"][0]["id"]
        self.seen = []
        self.look()

    def look(self):
        """What clients see of the run, and its version."""
        points = b"".join(export_trajectory(self.database, self.id, PointQuery(), FORMATS["json"]).chunks)
        self.seen.append((orjson.dumps(get_run(self.database, self.id)) + points, run_version(self.database, self.id)))
        return self.seen[-1]

    def changes(self, act, *arguments, **named):
        """Do something that shows: the version is one that was never seen."""
        before = [version for _, version in self.seen]
        done = act(*arguments, **named)
        shown, version = self.look()
        assert shown != self.seen[-2][0]
        assert version not in before
        return done

    def stays(self, act, *arguments, **named):
        """Do something that does not show: the version stays as it is."""
        done = act(*arguments, **named)
        shown, version = self.look()
        assert shown == self.seen[-2][0]
        assert version == self.seen[-2][1]
        return done

    def lease(self, most=10):
        with self.database.writing() as connection:
            queues = leases.waiting_queues(connection, 100, 100)
            key, _ = min(queues, key=lambda queue: queue[1]["first_run"])
            return leases.lease_runs(connection, key, most, NOW)

    def store(self, lease, steps=None):
        result = run_slice(lease.batch, Budget(600, steps))
        with self.database.writing() as connection:
            return apply_slice(connection, lease, result, NOW)

    def fail(self, lease, most_attempts):
        with self.database.writing() as connection:
            return fail_slice(connection, lease, "no luck", most_attempts, NOW)

    def release(self, lease):
        with self.database.writing() as connection:
            return leases.release_lease(connection, lease.token)

    def extend(self, **extension):
        continuations.extend_run(self.database, self.id, Extension(**extension), LIMITS)

    def events(self):
        with self.database.reading() as connection:
            return [event.kind for event in read_events(connection, self.experiment, FROM_THE_START).events]


def test_a_run_that_is_computed_and_extended(database):
    run = Run(database, SHORT)
    run.changes(run.store, run.changes(run.lease), 20)
    lease = run.stays(run.lease)
    run.changes(run.extend, max_steps=80)
    assert run.stays(run.store, lease) == 0  # computed under the stop that was
    run.changes(run.store, run.stays(run.lease))
    run.changes(run.extend, max_steps=100)
    run.changes(run.store, run.changes(run.lease))
    assert get_run(database, run.id)["outcome"] == "budget_exhausted"


@pytest.mark.parametrize("is_running", [False, True])
def test_a_flow_whose_end_is_moved_before_it_is_over(database, is_running):
    run = Run(database, FLOW)
    if is_running:
        run.changes(run.lease)
    run.changes(run.extend, max_time=40.0)


def test_a_run_that_fails_and_is_tried_again(database):
    run = Run(database, SHORT, runs=2)
    run.stays(run.fail, run.changes(run.lease), 3)  # tried in halves from now on
    run.stays(run.release, run.stays(run.lease, 1))
    run.stays(run.fail, run.stays(run.lease, 1), 2)
    run.changes(run.fail, run.stays(run.lease, 1), 2)
    run.changes(continuations.retry_run, database, run.id, LIMITS)
    run.changes(run.store, run.changes(run.lease, 1), 20)
    run.changes(run.fail, run.stays(run.lease, 1), 1)
    run.changes(continuations.retry_experiment, database, run.experiment, LIMITS)


def test_a_run_that_is_cancelled_and_tried_again(database):
    run = Run(database, SHORT)
    run.changes(cancel_run, database, run.id)
    run.changes(continuations.retry_run, database, run.id, LIMITS)
    lease = run.changes(run.lease)
    run.changes(experiments.cancel, database, run.experiment)
    assert run.stays(run.store, lease) == 0
    run.stays(cancel_run, database, run.id)


def test_what_is_changed_of_the_experiment_is_not_of_the_run(database):
    run = Run(database, SHORT)
    run.stays(experiments.change, database, run.experiment, ExperimentChanges(name="n", tags={"a": "b"}, priority=1))


def test_a_run_that_starts_is_no_event_of_its_own(database):
    run = Run(database, SHORT)
    run.changes(run.lease)
    assert run.events() == ["progress"]
