"""Readings of a metric along steps, time and the falling loss."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.values.readings import loss_positions, losses_at, readings

LOSSES = st.floats(1e-12, 1e12) | st.sampled_from([0.0, np.nan, np.inf, 1.0])
VALUES = st.floats(-1e6, 1e6) | st.just(np.nan)


@given(st.lists(st.tuples(LOSSES, VALUES), max_size=30))
def test_along_the_loss_a_point_counts_when_the_loss_was_never_as_low(points):
    losses, values = np.array(points).reshape(-1, 2).T
    expected, lowest = [], np.inf
    for loss, value in points:
        if 0 < loss < lowest and not np.isnan(value):
            expected.append((loss, value))
            lowest = loss
    read = readings(losses, values, is_loss=True)
    assert read.values.tolist() == [value for _, value in expected if not np.isnan(value)]
    np.testing.assert_allclose(losses_at(read.positions), [loss for loss, _ in expected], rtol=1e-13)
    assert (np.diff(read.positions) > 0).all()


@given(st.lists(st.tuples(st.integers(1, 5), VALUES), min_size=1, max_size=20), st.lists(st.floats(-5, 120)))
def test_between_two_points_a_reading_is_between_their_values_and_beyond_all_there_is_none(points, positions):
    gaps, values = np.array(points, dtype=float).T
    steps = np.cumsum(gaps)
    read = readings(steps, values, is_loss=False)
    assert read.at(read.positions).tolist() == values[~np.isnan(values)].tolist()
    kept, measured = steps[~np.isnan(values)], values[~np.isnan(values)]
    for position, value in zip(positions, read.at(np.array(positions)), strict=True):
        if not len(kept) or not kept[0] <= position <= kept[-1]:
            assert np.isnan(value)
            continue
        after = int(np.searchsorted(kept, position))
        low, high = sorted((measured[max(after - 1, 0)], measured[after]))
        assert low - 1e-9 <= value <= high + 1e-9


def test_a_value_that_is_infinite_is_so_up_to_its_finite_neighbours():
    read = readings([0, 1, 2, 3], [1.0, np.inf, np.inf, 2.0], is_loss=False)
    assert read.at(np.array([0, 0.5, 1, 1.5, 2, 2.5, 3])).tolist() == [1.0, *[np.inf] * 5, 2.0]


def test_along_the_loss_readings_are_linear_in_its_logarithm():
    read = readings([1.0, 1e-2], [0.0, 2.0], is_loss=True)
    np.testing.assert_allclose(
        read.at(loss_positions(np.array([1.0, 0.1, 0.01, 0.001]))), [0, 1, 2, np.nan], atol=1e-12
    )
