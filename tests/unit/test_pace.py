"""How long slices are."""

import pytest

from service.dispatch.pace import Pace

BOUNDS = (2.0, 20.0)


def paced(leasing, storing):
    pace = Pace()
    for _ in range(100):
        pace.leased(leasing)
        pace.stored(storing)
    return pace


def test_slices_are_short_until_something_is_known_of_their_cost():
    assert Pace().length(*BOUNDS, workers=1000, computed=1e6) == 2


def test_slices_stay_short_while_the_dispatcher_has_time():
    assert paced(0.03, 0.1).length(*BOUNDS, workers=4, computed=1e6) == 2


@pytest.mark.parametrize("workers", [16, 30, 70])
def test_slices_are_as_long_as_keeps_the_dispatcher_half_free(workers):
    length = paced(0.03, 0.1).length(*BOUNDS, workers=workers, computed=1e6)
    assert workers * 0.13 / length == pytest.approx(0.5)


def test_no_slice_is_longer_than_allowed_nor_than_its_runs_have_been_computed():
    pace = paced(0.03, 0.9)
    assert pace.length(*BOUNDS, workers=1000, computed=1e6) == 20
    assert pace.length(*BOUNDS, workers=1000, computed=7.0) == 7
    assert pace.length(*BOUNDS, workers=1000, computed=0.0) == 2
    assert pace.length(30.0, 20.0, workers=1000, computed=1e6) == 30


def test_a_single_dear_slice_does_not_change_the_pace_at_once():
    pace = paced(0.03, 0.1)
    pace.stored(5.0)
    assert pace.length(*BOUNDS, workers=4, computed=1e6) < 6
