"""Pictures fitted to be drawn: scales, units and limits for all floats, and sentences where something is missing."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.figures.extents import evenly, extent_of
from service.figures.fitting import NO_SERIES, NOT_FINITE, fitted, suited
from service.figures.picture import Axis, ColorScale, Line, Marks, Panel, Picture
from service.figures.renderers import Style, render
from service.figures.ticks import ticks_of

ANY = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=5e-324, max_value=1.7e308)
SCALES = st.sampled_from(["linear", "log"])


def one_panel(x, y, x_scale="linear", y_scale="linear"):
    line = Line(np.array(x, dtype=float), np.array(y, dtype=float))
    return Picture("", (Panel(Axis("steps", x_scale), Axis("loss", y_scale), (line,)),))


@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=6), SCALES, SCALES)
def test_whatever_finite_point_there_is_is_drawn(points, x_scale, y_scale):
    x, y = zip(*points, strict=True)
    (panel,) = fitted(one_panel(x, y, x_scale, y_scale)).panels
    assert panel.is_empty == (not any(np.isfinite(point).all() for point in points))
    for name, axis in (("x", panel.x), ("y", panel.y)):
        drawn = panel.values_on(name)
        drawn = drawn[~np.isnan(drawn)]
        low, high = extent_of(axis, drawn)
        assert np.isfinite([low, high, high - low]).all()
        assert low < high
        assert ((low <= drawn) & (drawn <= high)).all()


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([1, 2], [np.nan, np.inf], NOT_FINITE),
        ([1, 2], [0, 0], "A linear axis: nothing is above 0 in loss."),
        ([0], [1], "A linear axis: nothing is above 0 in steps."),
        ([1, 2], [1, 2], ""),
    ],
)
def test_every_format_says_why_a_panel_is_not_as_usual(x, y, said):
    picture = one_panel(x, y, "log", "log")
    figure = orjson.loads(render(picture, "json", Style()))
    assert [note["text"] for note in figure["layout"]["annotations"]] == ([said] if said else [])
    svg = render(picture, "svg", Style()).decode()
    assert [one for one in (NOT_FINITE, NO_SERIES, "A linear axis") if one in svg] == (
        [said.split(":")[0]] if said else []
    )


def test_a_panel_without_series_says_so():
    picture = Picture("", (Panel(Axis("x", "log"), Axis("y", "log")),))
    assert NO_SERIES in render(picture, "svg", Style()).decode()
    assert NO_SERIES in render(picture, "json", Style()).decode()


def test_a_point_between_gaps_is_marked():
    (panel,) = fitted(one_panel([1, 2, 3, 4, 5], [1, np.nan, 2, 3, np.inf])).panels
    line, marks = panel.series
    assert isinstance(marks, Marks)
    assert (marks.x.tolist(), marks.y.tolist()) == ([1], [1])
    assert line.y[2:4].tolist() == [2, 3]


def test_near_the_largest_float_the_axis_has_a_unit():
    (panel,) = fitted(one_panel([1, 2, 3], [1e308, -1.7e308, np.inf])).panels
    assert panel.y.label == "loss (\N{MULTIPLICATION SIGN}10³⁰⁸)"
    assert panel.series[0].y[:2] == pytest.approx([1, -1.7])
    assert np.isnan(panel.series[0].y[2])


@given(FINITE, FINITE, SCALES, st.booleans())
def test_ticks_lie_on_their_axis_and_differ(one, other, scale, is_whole):
    low, high = extent_of(Axis("", scale), np.array([one, other]) / (4 if scale == "linear" else 1))
    ticks = ticks_of(scale, low, high, is_whole)
    assert len(ticks.positions) <= 30
    assert all(low <= position <= high for position in ticks.positions)
    assert len(set(ticks.texts)) == len(ticks.texts) == len(set(ticks.positions))
    assert not is_whole or scale == "log" or all(position == round(position) for position in ticks.positions)


@given(POSITIVE, POSITIVE, SCALES)
def test_numbers_between_any_ends(one, other, scale):
    low, high = sorted((one, other))
    numbers = evenly(low, high, 7, scale)
    assert (numbers[0], numbers[-1]) == (low, high)
    assert (np.diff(numbers) >= 0).all()


@given(ANY, ANY, SCALES)
def test_a_colour_scale_of_any_ends_can_be_used(low, high, scale):
    wanted = ColorScale("steps", low, high, scale)
    made = fitted(Picture("", color_scale=wanted)).color_scale
    assert made.low < made.high
    assert np.isfinite([made.low, made.high]).all()
    assert made.scale == "linear" or made.low > 0


def test_an_axis_stays_logarithmic_where_any_number_is_above_0():
    axis = Axis("loss", "log")
    assert suited(axis, np.array([0.0, 1e-300]), np.array([np.nan])) is axis
    assert suited(axis, np.array([np.nan, np.inf])) is axis
    assert suited(axis, np.array([0.0, -1.0])).scale == "linear"
