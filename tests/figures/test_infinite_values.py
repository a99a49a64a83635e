"""What is infinite in a picture: a gap in lines and bands, the colour at the end of the scale in cells."""

import dataclasses

import numpy as np
import orjson
import pytest

from service.figures.kinds.quartiles import median_and_band
from service.figures.picture import Axis, Band, Cells, ColorScale, Line, Panel, Picture
from service.figures.renderers import Style, render

X = np.arange(1.0, 7.0)
STYLE = Style(width=300, scale=1)


def picture(scale, filled):
    """Medians and bands, `filled` where they are infinite."""
    line, low, high = 2 * X, 1 * X, 3 * X
    line[2], high[1:3], low[4] = filled, filled, -filled
    return Picture("", (Panel(Axis("x"), Axis("y", scale), (Band(X, low, high, 0), Line(X, line, 0, "median"))),))


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("format", ["png", "svg", "json"])
def test_infinite_values_are_gaps_in_lines_and_bands(scale, format):
    drawn = render(picture(scale, np.inf), format, STYLE)
    assert drawn == render(picture(scale, np.nan), format, STYLE)
    assert drawn != render(picture(scale, 1.0), format, STYLE)


def test_a_band_for_plotly_ends_before_a_gap_and_begins_again_behind_it():
    band, line, _legend = orjson.loads(render(picture("linear", np.inf), "json", STYLE))["data"]
    assert band["x"] == [1, 1, None, 4, 4, None, 6, 6]
    assert band["y"] == [1, 3, None, 4, 12, None, 6, 18]
    assert line["y"] == [2, 4, None, 8, 10, 12]


def test_a_band_of_nothing_but_gaps_is_empty():
    nothing = Band(X, np.full(6, np.nan), X, 0)
    (band,) = orjson.loads(render(Picture("", (Panel(Axis("x"), Axis("y"), (nothing,)),)), "json", STYLE))["data"]
    assert (band["x"], band["y"]) == ([], [])


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_infinite_cells_have_the_colours_at_the_ends_of_the_scale(scale):
    values = np.array([[1.0, np.inf], [-np.inf, np.nan]])
    cells = Cells(values, ("a", "b"), ("c", "d"))
    assert cells.texts == [["1", "∞"], ["-∞", ""]]
    made = Picture("", (Panel(Axis(""), Axis(""), (cells,)),), 1, ColorScale("", 0.1, 10, scale))
    (heat_map,) = orjson.loads(render(made, "json", STYLE))["data"]
    ends = (0.1, 10) if scale == "linear" else (-1, 1)
    assert (heat_map["z"][0][1], heat_map["z"][1]) == (ends[1], [ends[0], None])
    assert heat_map["customdata"] == [[1, None], [None, None]]
    empty = dataclasses.replace(cells, values=np.where(np.isinf(values), np.nan, values))
    for format in ("png", "svg"):
        blank = dataclasses.replace(made, panels=(Panel(Axis(""), Axis(""), (empty,)),))
        assert render(made, format, STYLE) != render(blank, format, STYLE)


def test_a_median_among_runs_that_went_to_infinity():
    samples = [np.array([1.0, 2, np.inf]), np.array([1, np.inf, np.inf]), np.full(2, np.nan), np.array([3.0, np.nan])]
    band, line = median_and_band(X[:4], samples, 0, "runs")
    assert line.x.tolist() == band.x.tolist() == [1, 2, 4]
    assert line.y.tolist() == [2, np.inf, 3]
    assert (band.low.tolist(), band.high.tolist()) == ([1.5, np.inf, 3], [np.inf, np.inf, 3])


@pytest.mark.parametrize("filled", [np.inf, np.nan])
@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("format", ["png", "svg", "json"])
def test_where_nothing_is_finite_a_panel_is_empty(format, scale, filled):
    line = Line(X, np.full(6, filled), 0, "median")
    panel = Panel(Axis("x", scale, falling=True), Axis("y", scale), (line,))
    assert render(Picture("", (panel,)), format, STYLE) != render(picture(scale, filled), format, STYLE)


def test_of_no_samples_nothing_is_drawn():
    assert median_and_band(np.empty(0), [], 0, "runs") == ()
