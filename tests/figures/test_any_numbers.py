"""Every kind of figure draws every run: of any number of points, with any floats, on every axis that it offers."""

import io
from xml.etree import ElementTree

import orjson
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import image

from service.figures.fitting import fitted
from service.figures.kinds import KINDS
from service.figures.renderers import MEDIA_TYPES, Style, render
from service.figures.themes import THEMES
from tests.figures.any_runs import scenes


def check(content, format):
    match format:
        case "png":
            assert image.imread(io.BytesIO(content)).size
        case "svg":
            ElementTree.fromstring(content)
        case "json":
            go.Figure(orjson.loads(content))


@pytest.mark.parametrize("format", MEDIA_TYPES)
@pytest.mark.parametrize("name", KINDS)
def test_any_numbers_are_drawn(name, format):
    @settings(max_examples=200 if format == "json" else 6)
    @given(scenes(name), st.sampled_from(list(THEMES)), st.sampled_from([None, 390]))
    def draws(scene, theme, width):
        picture = KINDS[name].picture(scene)
        check(render(picture, format, Style(width, theme, 1)), format)

    draws()
