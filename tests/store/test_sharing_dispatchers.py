"""Dispatchers that work at once: who is taken for dead, whose workers are whose, and who has the runs of the dead."""

from contextlib import suppress
from datetime import timedelta

import pytest

from service.dispatch.housekeeping import Housekeeper
from service.dispatch.loop import Dispatcher
from service.dispatch.membership import SECONDS_WITHOUT_PULSE
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store.dispatchers import Deposed, Needs
from service.use_cases.submissions import submit
from tests.helpers.inline_cluster import InlineCluster
from tests.helpers.specs import BASIC
from tests.store.memberships import LEASE, at_work, beat_for, finish, runs_of, write

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])


def test_any_number_work_at_once(joined, database):
    memberships = [joined(name) for name in ("a", "b", "c")]
    for membership in memberships:
        write(membership)
        membership.beat()
    assert at_work(database).names == ("a", "b", "c")
    assert [membership.is_eldest for membership in memberships] == [True, False, False]
    assert [[other.name for other in one.others] for one in memberships] == [["b", "c"], ["a", "c"], ["a", "b"]]


def test_one_that_is_silent_is_taken_for_dead_and_never_one_that_beats(joined, clocks, database):
    silent, *others = [joined(name) for name in ("silent", "b", "c")]
    beat_for(clocks, 30, silent, *others)
    waited = 0
    while "silent" in [other.name for other in others[0].others] and not others[0].took_over.is_set():
        beat_for(clocks, 1, *others)
        waited += 1
    assert LEASE <= waited <= 12
    with pytest.raises(Deposed):
        write(silent)
    with pytest.raises(Deposed):
        silent.beat()
    beat_for(clocks, 1, *others)
    assert others[0].is_eldest
    assert not others[1].took_over.is_set(), "what one takes away, the other does not"
    assert silent.try_to_join(), "it comes back as a new one"
    write(silent)
    assert at_work(database).names == ("b", "c", "silent")


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_clock_that_steps_takes_the_lease_from_nobody_who_beats(joined, clocks, step):
    first, second = joined(), joined()
    beat_for(clocks, 2, first, second)
    clocks.day += step
    beat_for(clocks, 20, first, second)
    write(first)
    write(second)


def test_a_clock_set_back_does_not_keep_the_dead_at_work(joined, clocks):
    dead, other = joined(), joined()
    beat_for(clocks, 2, dead, other)
    clocks.day -= timedelta(hours=1)
    beat_for(clocks, 12, other)
    with pytest.raises(Deposed):
        write(dead)


def test_one_that_stood_still_itself_takes_nobody_for_dead(joined, clocks):
    """The whole machine was suspended: whoever wakes up first finds the other's beat old."""
    first, second = joined(), joined()
    beat_for(clocks, 2, first, second)
    clocks.pass_seconds(10 * LEASE)
    first.beat()
    second.beat()
    beat_for(clocks, 5, first, second)
    write(first)
    write(second)


def test_a_loop_that_hangs_loses_the_lease(joined, clocks):
    hanging, other = joined(), joined()
    while clocks.steady < SECONDS_WITHOUT_PULSE + 2 * LEASE:
        beat_for(clocks, 1, other)
        other.pulse()
        with suppress(Deposed):
            hanging.beat()
    with pytest.raises(Deposed):
        write(hanging)
    write(other)


def test_the_workers_of_one_cluster_are_dealt_out_and_those_of_others_are_not(joined):
    sharing = [joined(cluster="tls://scheduler:8786") for _ in range(3)]
    elsewhere, alone = joined(cluster="tls://other:8786"), joined()
    for membership in (*sharing, elsewhere, alone):
        membership.beat()
    for workers in (0, 2, 3, 10):
        parts = [membership.part_of(workers) for membership in sharing]
        assert sum(parts) == workers
        assert max(parts) - min(parts) <= 1
        assert (elsewhere.part_of(workers), alone.part_of(workers)) == (workers, workers)


def test_needs_are_told_to_the_others(joined, database):
    first, second, third = joined(), joined(), joined()
    for membership in (first, second, third):
        membership.beat()
    first.tell(Needs(2, 0))
    second.tell(Needs(1, 3))
    with database.reading() as connection:
        assert [one.needs_of_others(connection) for one in (first, third)] == [Needs(1, 3), Needs(3, 3)]
    second.beat()
    with database.reading() as connection:
        assert third.needs_of_others(connection) == Needs(3, 3), "a beat says the same again"


def test_the_dead_leave_their_runs_to_the_others_whose_slices_go_on(joined, clocks, database, settings):
    """The runs of the dead are given back at once; a slice of the living stays theirs, and is stored once."""
    sweep = ExperimentRequest(run=BASIC, sweep=[{"seed": list(range(8))}])
    experiment = submit(database, sweep, Limits(), None).experiment
    dead, living, third = joined("dead"), joined("living"), joined("third")
    for membership in (dead, living, third):
        membership.tell(Needs(1))
        membership.beat()
    settings = settings.model_copy(update={"poll_seconds": 0})
    loops = [Dispatcher(database, InlineCluster(), settings, one) for one in (dead, living, third)]
    for loop in loops[:2]:
        loop.tick()  # leased and computed, not stored
    assert [len(loop.cluster.batches) for loop in loops] == [1, 1, 0]
    assert len(loops[0].cluster.batches[0].members) < 8, "the idle workers of the others are left their part"
    beat_for(clocks, 12, living, third)
    assert living.took_over.is_set()
    assert not third.took_over.is_set()
    Housekeeper(database, living).do_piece()
    assert not living.took_over.is_set()
    with pytest.raises(Deposed):
        loops[0].tick()
    finish(database, experiment, *loops[1:])
    assert runs_of(database, experiment).succeeded == 8


def test_two_dispatchers_serve_what_one_with_two_workers_would(joined, database, settings):
    for priority in (0, 5):
        submit(database, ExperimentRequest(run=BASIC, sweep=[{"seed": [0, 1]}], priority=priority), Limits(), None)
    memberships = [joined() for _ in range(2)]
    for membership in memberships:
        membership.beat()
    for membership in memberships:
        membership.tell(Needs(1))
    loops = [Dispatcher(database, InlineCluster(), settings, membership) for membership in memberships]
    for loop in loops:
        loop.tick()
    served = [(lease.key.priority, len(lease.run_ids)) for loop in loops for lease in loop._in_flight.values()]
    assert served == [(5, 2), (0, 2)]
