"""Thinning keeps what the eye would see, of as many points as fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.values.thinning import extremes, thin

FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def columns(draw, most_points=60):
    points = draw(st.integers(1, most_points))
    column = st.lists(FLOATS | st.sampled_from([0.0, 1.0]), min_size=points, max_size=points)  # with ties
    return [np.array(values) for values in draw(st.lists(column, min_size=1, max_size=3))]


@given(columns(), st.data())
def test_of_each_bucket_the_first_least_and_the_first_greatest_stay(made, data):
    points = len(made[0])
    buckets = data.draw(st.integers(1, points))
    expected = {0, points - 1}
    for column in made:
        low, high = np.where(np.isnan(column), np.inf, column), np.where(np.isnan(column), -np.inf, column)
        for bucket in np.split(np.arange(points), np.linspace(0, points, buckets + 1).astype(int)[1:-1]):
            expected |= {int(bucket[low[bucket].argmin()]), int(bucket[high[bucket].argmax()])}
    assert extremes(made, points, buckets).tolist() == sorted(expected)


@given(columns(), st.integers(2, 70))
def test_ends_and_extremes_stay_within_what_was_asked(made, most):
    points = len(made[0])
    kept = thin(made, points, most)
    assert len(kept) <= most
    assert list(kept) == sorted(set(kept))
    assert {0, points - 1} <= set(kept)
    if most >= points:
        assert len(kept) == points
    if most >= 2 + 2 * len(made):
        for column in made:
            if not np.isnan(column).all():
                assert np.nanmin(column[kept]) == np.nanmin(column)
                assert np.nanmax(column[kept]) == np.nanmax(column)


@pytest.mark.parametrize("most", [200, 1000])
def test_thinning_uses_the_room_it_has(most):
    wave = np.sin(np.arange(10_000) / 7.0)
    assert 0.9 * most <= len(thin([wave], 10_000, most)) <= most
