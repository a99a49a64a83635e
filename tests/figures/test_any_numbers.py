"""Every kind of figure draws every run: of any number of points, with any floats, on every axis that it offers."""

import io
from xml.etree import ElementTree

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import image

from service.figures.fitting import fitted
from service.figures.kinds import KINDS
from service.figures.picture import Cells
from service.figures.renderers import Style, matplotlib, render
from service.figures.themes import THEMES
from tests.figures.any_runs import scenes

THEME_NAMES, WIDTHS = st.sampled_from(list(THEMES)), st.sampled_from([None, 390])
pytestmark = pytest.mark.filterwarnings(
    "ignore:invalid value encountered in sqrt"
)  # of losses below 0, which no run has


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_any_numbers_are_drawn_and_what_is_empty_says_why(name):
    @settings(max_examples=30)
    @given(scenes(name), THEME_NAMES, WIDTHS)
    def draws(scene, theme, width):
        picture = KINDS[name].picture(scene)
        content = orjson.loads(render(picture, "json", Style(width, theme)))
        said = [note["text"].replace("<br>", " ") for note in content["layout"]["annotations"]]
        assert picture.panels or said
        for panel in fitted(picture).panels:
            assert panel.is_empty == (not has_anything(panel))
            assert not panel.said or panel.said in said
            assert panel.said or not panel.is_empty

    draws()


def has_anything(panel):
    cells = [series.values for series in panel.series if isinstance(series, Cells)]
    return np.isfinite(panel.values_on("y")).any() or any((~np.isnan(values)).any() for values in cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_any_numbers_are_drawn_as_pictures(name):
    @settings(max_examples=5)
    @given(scenes(name), THEME_NAMES, WIDTHS, st.sampled_from(["png", "svg"]))
    def draws(scene, theme, width, format):
        content = render(KINDS[name].picture(scene), format, Style(width, theme, 1))
        if format == "svg":
            ElementTree.fromstring(content)
        else:
            assert image.imread(io.BytesIO(content)).size

    draws()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_picture_that_is_drawn_once_is_that_of_savefig(name):
    """Which lays out by drawing everything once before."""

    @settings(max_examples=1)
    @given(scenes(name))
    def draws(scene):
        picture, style, saved = fitted(KINDS[name].picture(scene)), Style(None, "light", 1), io.BytesIO()
        metadata = {"Title": picture.title, "Date": None, "Creator": "Rankward"}
        matplotlib._draw(picture, style).savefig(saved, format="svg", dpi=72, metadata=metadata)
        assert matplotlib.as_svg(picture, style) == saved.getvalue()

    draws()
