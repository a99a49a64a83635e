"""Which dispatchers are at work, how one that is gone is replaced, and that one taken for dead can store nothing."""

from datetime import timedelta

import pytest

from service.dispatch.loop import Dispatcher
from service.dispatch.membership import Membership
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import dispatchers
from service.store.dispatchers import Deposed
from service.use_cases.submissions import submit
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.inline_cluster import InlineCluster
from tests.helpers.specs import BASIC
from tests.store.memberships import LEASE, at_work, beat_for, finish, runs_of, write

# On SQLite a single dispatcher works, and the others stand by; those of PostgreSQL are in test_sharing_dispatchers.py.


def test_the_first_works_and_the_second_stands_by(candidate):
    first, second = candidate(), candidate()
    assert first.try_to_join()
    assert not second.try_to_join()
    write(first)
    with pytest.raises(Deposed):
        write(second)


def test_a_standby_takes_over_from_one_that_is_silent_and_never_from_one_that_beats(candidate, clocks):
    first, second = candidate(), candidate()
    first.try_to_join()
    for _ in range(30):
        assert not second.try_to_join()
        beat_for(clocks, 1, first)
    waited = 0
    while not second.try_to_join():
        clocks.pass_seconds(1)
        waited += 1
    assert LEASE <= waited <= 12
    with pytest.raises(Deposed):
        write(first)
    with pytest.raises(Deposed):
        first.beat()


def test_what_is_given_back_is_taken_at_once(candidate, database):
    first, second = candidate(), candidate()
    first.try_to_join()
    assert not second.try_to_join()
    first.leave()
    assert at_work(database).names == ()
    assert at_work(database).seconds_ago is not None
    assert second.try_to_join()
    first.leave()  # its own lease is over; that of the second is not its to give
    write(second)


def test_of_two_that_see_no_lease_one_gets_it(candidate, database, monkeypatch):
    """The second reads before the first has written."""
    first, second = candidate(), candidate()
    read, before = dispatchers.read_leases, []
    monkeypatch.setattr(dispatchers, "read_leases", lambda connection: before.pop() if before else read(connection))
    before.append([])
    assert first.try_to_join()
    before.append([])
    assert not second.try_to_join()


def test_who_comes_long_after_need_not_wait(joined, clocks):
    joined()
    clocks.pass_seconds(LEASE + 1)
    joined()


def test_a_clock_set_back_does_not_keep_the_lease_with_the_dead(candidate, clocks, database):
    candidate().try_to_join()
    standby = candidate()
    assert not standby.try_to_join()
    clocks.day -= timedelta(hours=1)
    assert at_work(database).names == ()
    clocks.pass_seconds(LEASE - 1)
    assert not standby.try_to_join()
    clocks.pass_seconds(1)
    assert standby.try_to_join()


# On both.


@BOTH_DATABASES
def test_one_that_was_killed_has_its_lease_again_when_it_is_started_again(candidate, joined):
    before = joined("serve here")
    again = joined("serve here")
    with pytest.raises(Deposed):
        write(before)
    assert not before.try_to_join(), "or two of one name would depose each other for ever"
    write(again)


@BOTH_DATABASES
@pytest.mark.parametrize("failures", [[], [RuntimeError("the worker died")]])
def test_one_that_was_taken_for_dead_stores_nothing(database, dispatcher, settings, failures):
    """Its slice, or the news that it failed, comes back after another one has taken over."""
    experiment = submit(database, ExperimentRequest(run=BASIC, sweep=[{"seed": [0, 1]}]), Limits(), None).experiment
    dispatcher.cluster.failures = failures
    dispatcher.tick()  # leased and computed, not stored
    usurper = Membership(database, dispatcher.membership.name, LEASE)
    assert usurper.try_to_join()
    with pytest.raises(Deposed):
        dispatcher.tick()
    assert runs_of(database, experiment).running == 2
    finish(database, experiment, Dispatcher(database, InlineCluster(), settings, usurper))


@BOTH_DATABASES
def test_readiness_asks_for_a_dispatcher(api, database):
    answer = api.get("/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "rankward dispatcher" in answer.json()["detail"]
    membership = Membership(database, None, LEASE)
    assert membership.try_to_join()
    assert api.get("/readyz").json()["dispatchers"] == 1
    membership.leave()
    assert api.get("/readyz").status_code == 503
    assert api.get("/readyz?require=database").json()["dispatcher"] == "silent"
