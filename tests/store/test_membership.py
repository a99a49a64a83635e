"""Of several dispatchers one works: how it is found, how it is replaced, and that a deposed one can store nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from service.dispatch.leadership import SECONDS_WITHOUT_PULSE, Leadership
from service.dispatch.loop import Dispatcher
from service.schemas import ExperimentRequest
from service.settings import Limits
from service.store import dispatcher_lease
from service.store.dispatcher_lease import Deposed, dispatcher_heartbeat
from service.use_cases.experiments import get_experiment
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.inline_cluster import InlineCluster
from tests.helpers.specs import BASIC

LEASE = 10.0


class Clocks:
    """The machine's steady clock and the database's time of day, moved by hand."""

    def __init__(self):
        self.steady = 0.0
        self.day = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def pass_seconds(self, seconds):
        self.steady += seconds
        self.day += timedelta(seconds=seconds)


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(dispatcher_lease, "database_now", lambda _connection: clocks.day)
    return clocks


@pytest.fixture
def candidate(database, clocks):
    return lambda name=None: Leadership(database, name, LEASE, lambda: clocks.steady)


def heartbeat(database):
    with database.reading() as connection:
        return dispatcher_heartbeat(connection)


def write(leadership):
    with leadership.writing():
        pass


@BOTH_DATABASES
def test_the_first_leads_and_the_second_stands_by(candidate):
    first, second = candidate(), candidate()
    assert first.try_to_lead()
    assert not second.try_to_lead()
    write(first)
    with pytest.raises(Deposed):
        write(second)


@BOTH_DATABASES
def test_a_standby_takes_over_from_one_that_is_silent_and_never_from_one_that_beats(candidate, clocks):
    first, second = candidate(), candidate()
    first.try_to_lead()
    for _ in range(30):
        assert not second.try_to_lead()
        clocks.pass_seconds(1)
        first.beat()
    waited = 0
    while not second.try_to_lead():
        clocks.pass_seconds(1)
        waited += 1
    assert LEASE <= waited <= 12
    with pytest.raises(Deposed):
        write(first)
    with pytest.raises(Deposed):
        first.beat()


@BOTH_DATABASES
def test_what_is_given_back_is_taken_at_once(candidate, database):
    first, second = candidate(), candidate()
    first.try_to_lead()
    assert not second.try_to_lead()
    first.give_back()
    assert not heartbeat(database).is_alive
    assert second.try_to_lead()
    first.give_back()  # its own lease is over; that of the second is not its to give
    write(second)


@BOTH_DATABASES
def test_of_two_that_see_a_free_lease_one_gets_it(candidate, database):
    with database.reading() as connection:
        seen = dispatcher_lease.read_lease(connection)
    for holder, token in (("a", 1), ("b", None)):
        with database.writing() as connection:
            assert dispatcher_lease.take_lease(connection, seen, holder, LEASE) == token


def test_who_comes_long_after_need_not_wait(candidate, clocks):
    candidate().try_to_lead()
    clocks.pass_seconds(LEASE + 1)
    assert candidate().try_to_lead()


def test_one_that_was_killed_has_its_lease_again_when_it_is_started_again(candidate):
    before, stranger, again = candidate("serve here"), candidate(), candidate("serve here")
    before.try_to_lead()
    assert not stranger.try_to_lead()
    assert again.try_to_lead()
    with pytest.raises(Deposed):
        write(before)
    assert not before.try_to_lead(), "or two of one name would depose each other for ever"


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_clock_that_steps_takes_the_lease_from_nobody_who_beats(candidate, clocks, database, step):
    first, second = candidate(), candidate()
    first.try_to_lead()
    second.try_to_lead()
    clocks.day += step
    for _ in range(20):
        assert not second.try_to_lead()
        clocks.pass_seconds(1)
        first.beat()
        assert heartbeat(database).is_alive
    write(first)


def test_a_clock_set_back_does_not_keep_the_lease_with_the_dead(candidate, clocks, database):
    candidate().try_to_lead()
    standby = candidate()
    assert not standby.try_to_lead()
    clocks.day -= timedelta(hours=1)
    assert not heartbeat(database).is_alive
    clocks.pass_seconds(LEASE + 1)
    assert standby.try_to_lead()


def test_a_clock_set_back_holds_up_no_run(database, dispatcher, clocks):
    """Runs that a predecessor had leased are given back by their tokens; no time of day is asked."""
    experiment = submit(database, ExperimentRequest(run=BASIC), Limits(), None).experiment
    lost = dispatcher.cluster.submit
    dispatcher.cluster.submit = lambda batch, budget: type(lost(batch, budget))()  # never done
    dispatcher.tick()
    clocks.day -= timedelta(hours=1)
    successor = Leadership(database, None, LEASE, lambda: clocks.steady)
    assert not successor.try_to_lead()
    clocks.pass_seconds(LEASE + 1)
    assert successor.try_to_lead()
    after = Dispatcher(database, InlineCluster(), dispatcher.settings, successor)
    for _ in range(50):
        after.tick()
    assert get_experiment(database, experiment.id).status == "succeeded"


def test_a_loop_that_hangs_loses_the_lease(candidate, clocks):
    first, second = candidate(), candidate()
    first.try_to_lead()
    second.try_to_lead()
    clocks.pass_seconds(SECONDS_WITHOUT_PULSE + 1)
    first.beat()
    assert second.try_to_lead()


@BOTH_DATABASES
@pytest.mark.parametrize("failures", [[], [RuntimeError("the worker died")]])
def test_a_deposed_dispatcher_stores_nothing(database, dispatcher, settings, failures):
    """Its slice, or the news that it failed, comes back after another one has taken over."""
    experiment = submit(database, ExperimentRequest(run=BASIC, sweep=[{"seed": [0, 1]}]), Limits(), None).experiment
    dispatcher.cluster.failures = failures
    dispatcher.tick()  # leased and computed, not stored
    usurper = Leadership(database, dispatcher.leadership.name, LEASE)
    assert usurper.try_to_lead()
    with pytest.raises(Deposed):
        dispatcher.tick()
    assert get_experiment(database, experiment.id).runs.running == 2
    after = Dispatcher(database, InlineCluster(), settings, usurper)
    for _ in range(50):
        after.tick()
    assert get_experiment(database, experiment.id).status == "succeeded"


@BOTH_DATABASES
def test_readiness_asks_for_a_dispatcher(api, database):
    answer = api.get("/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "rankward dispatcher" in answer.json()["detail"]
    leadership = Leadership(database, None, LEASE)
    assert leadership.try_to_lead()
    assert api.get("/readyz").status_code == 200
    leadership.give_back()
    assert api.get("/readyz").status_code == 503
