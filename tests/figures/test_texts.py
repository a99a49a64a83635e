"""Texts in pictures: as they are typed, in every format; nothing in them is markup, and no two look alike."""

import html
from xml.etree import ElementTree

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.figures import layout
from service.figures.fitting import fitted
from service.figures.picture import Axis, Cells, ColorScale, Line, Panel, Picture
from service.figures.renderers import Style, render
from service.figures.texts import MOST_LETTERS, apart, letters, shortened, wrapped
from service.values.visible import visible

pytestmark = pytest.mark.slow

MARKUP = (
    "US$ 5% of $x",
    r"$\frac{$ and $a_b$ \$",
    "<b>bold</b> <a href='https://elsewhere.example'>here</a>",
    "&lt;b&gt; &amp; R&D < 3 > 2",
    "%{x} %{customdata} <extra>no</extra>",
    "_underscore first",
    "日本語の名前 🎉",
    "שלום עולם (1)",
    "right \u202e to left",
    "line\nend \x00\x1b[31m \ufffe \ud800",
    "]]> --> </svg> -",
)
TEXTS = st.text(st.characters(), max_size=30)


def named(*names):
    x = np.arange(1.0, 4)
    lines = tuple(Line(x, number * x, number, name, name) for number, name in enumerate(names))
    return Picture("title", (Panel(Axis(names[0]), Axis(names[-1]), lines, names[0]),), note=names[0])


@pytest.mark.parametrize("name", MARKUP)
def test_a_name_is_shown_as_it_is_typed_in_every_format(name):
    picture, shown = named(name), visible(name)
    svg = render(picture, "svg", Style()).decode()
    ElementTree.fromstring(svg)
    assert render(picture, "png", Style()).startswith(b"\x89PNG")
    figure = orjson.loads(render(picture, "json", Style()))
    (legend,) = (trace for trace in figure["data"] if trace["showlegend"])
    texts = [legend["name"], figure["layout"]["annotations"][0]["text"], figure["layout"]["xaxis"]["title"]["text"]]
    for text in (*texts, figure["data"][0]["text"], figure["layout"]["title"]["text"]):
        assert not {"<b>", "</b>", "<a href='https://elsewhere.example'>", "<extra>"} & {
            text[at:end] for at, end in tags(text)
        }
        assert html.unescape(text) == shown


def tags(text):
    return [(at, text.index(">", at) + 1) for at, letter in enumerate(text) if letter == "<" and ">" in text[at:]]


@given(TEXTS)
@example("a\ufffe\ufdd0\x7f")
def test_any_text_is_drawn(text):
    picture = named(text or " ", "other")
    ElementTree.fromstring(render(picture, "svg", Style(390)))
    orjson.loads(render(picture, "json", Style(390)))


@given(st.lists(st.sampled_from(["a", "b", "x" * 200, "x" * 199 + "y" + "x" * 200, "x" * 300]) | TEXTS, max_size=6))
def test_names_that_differ_are_drawn_differently_and_short(names):
    drawn = apart(names)
    assert len(set(drawn)) == len(names)
    assert all(letters(name) <= MOST_LETTERS for name in drawn)


def test_long_names_of_cells_and_legends_stay_apart():
    long = ["n" * 10_000 + end + "n" * 10_000 for end in "ab"]
    cells = Cells(np.eye(2), tuple(long), tuple(long))
    scale = ColorScale("", 0, 1)
    picture = Picture("", (Panel(Axis(""), Axis(""), (cells,)),), 1, scale)
    (panel,) = fitted(picture).panels
    assert len({*panel.series[0].rows}) == len({*panel.series[0].columns}) == 2
    assert len(layout.legend_of(fitted(named(*long)))) == 2
    for format in ("png", "svg", "json"):
        render(picture, format, Style(390))
        render(named(*long), format, Style(390))


@given(TEXTS, st.integers(3, 40))
def test_a_wrapped_text_keeps_its_letters_and_its_width(text, most):
    lines = wrapped(text, most)
    assert "".join("".join(lines).split(" ")) == "".join(text.split(" "))
    assert all(letters(line) <= most for line in lines)
    assert letters(shortened(text, most)) <= most
