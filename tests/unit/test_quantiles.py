"""The one rule for quantiles: infinite numbers count, what is not a number does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.values.quantiles import five_numbers, median, that_count

FINITE = st.floats(allow_nan=False, allow_infinity=False)
FLOATS = st.floats() | st.sampled_from([np.inf, -np.inf, np.nan])
SHARES = (0, 0.25, 0.5, 0.75, 1)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30))
def test_of_finite_numbers_they_are_those_of_numpy(values):
    scale = max(map(abs, values))
    np.testing.assert_allclose(five_numbers(values), np.quantile(values, SHARES), rtol=1e-14, atol=1e-15 * scale)


@given(st.lists(FLOATS, min_size=1, max_size=30), st.randoms())
def test_they_ascend_between_least_and_greatest_whatever_the_order_and_beside_nan(values, random):
    spread = five_numbers(values)
    shuffled = [*values, np.nan]
    random.shuffle(shuffled)
    np.testing.assert_array_equal(five_numbers(shuffled), spread)
    count = that_count(values)
    if not len(count):
        assert np.isnan(spread).all()
        return
    assert list(spread) == sorted(spread)
    assert (spread.least, spread.greatest) == (count.min(), count.max())


@given(st.lists(FLOATS, min_size=1, max_size=30))
def test_a_quantile_lies_between_its_two_neighbours_and_is_infinite_where_the_one_is(values):
    ascending = sorted(value for value in values if not np.isnan(value))
    for share, quantile in zip(SHARES, five_numbers(values) if ascending else (), strict=bool(ascending)):
        position = share * (len(ascending) - 1)
        below, above = ascending[int(np.floor(position))], ascending[int(np.ceil(position))]
        assert below <= quantile <= above
        if np.isinf(below) != np.isinf(above):
            assert np.isinf(quantile)


@given(st.lists(FINITE, min_size=1, max_size=10))
def test_runs_that_went_to_infinity_are_runs(values):
    assert median([*values, *[np.inf] * (len(values) + 1)]) == np.inf
    assert median([*values, *[np.inf] * (len(values) - 1)]) == max(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, np.inf], (1, 1.5, 2, np.inf, np.inf)),
        ([-np.inf, 5], (-np.inf, -np.inf, -np.inf, -np.inf, 5)),
        ([-np.inf, np.inf], (-np.inf, -np.inf, -np.inf, np.inf, np.inf)),
        ([-1.5e308, 1.5e308], (-1.5e308, -0.75e308, 0, 0.75e308, 1.5e308)),
        ([np.nan], (np.nan,) * 5),
        ([], (np.nan,) * 5),
    ],
)
def test_examples(values, expected):
    np.testing.assert_array_equal(five_numbers(values), expected)
