"""The parts of figures: thinning, what varies between runs, layout, colours."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from service.figures import layout
from service.figures.looks import looks_of
from service.figures.metric_axes import axis_of
from service.figures.picture import Axis, Line, Panel, Picture, Shade
from service.figures.themes import THEMES
from service.figures.thinning import drawable
from service.figures.variation import label_of, leaves, varying_paths
from workers.runs.metrics import METRICS

FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(FLOATS, min_size=1, max_size=200), st.integers(1, 50), st.sampled_from(["linear", "log"]))
def test_what_is_drawn_has_its_ends_and_its_extremes(values, most, scale):
    axis, x, y = Axis("", scale), np.arange(len(values)), np.array(values)
    at, drawn = drawable(x, y, Axis(""), axis, most)
    assert len(at) <= max(most, 4)
    assert (np.diff(at) > 0).all()
    assert (at[0], at[-1]) == (0, len(y) - 1)
    with_position = y[np.isfinite(y) & ((y > 0) | (scale == "linear"))]
    assert np.isin(drawn[~np.isnan(drawn)], with_position).all()
    if len(with_position):
        assert np.nanmax(drawn) == with_position.max()
        assert np.nanmin(drawn) == with_position.min()


DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def vectors(draw):
    width = draw(st.integers(1, 5))
    return np.array(draw(st.lists(st.tuples(*[DOUBLES] * width), min_size=1, max_size=60)))


@given(vectors(), st.integers(4, 20))
@example(np.full((9, 2), 1.7e308), 4)
@example(np.full((9, 3), np.finfo(float).max), 4)
def test_vectors_of_any_doubles_keep_their_ends_and_the_extremes_of_their_mean(y, most):
    at, drawn = drawable(np.arange(len(y)), y, Axis(""), Axis(""), most)
    assert len(at) <= most
    assert (at[0], at[-1]) == (0, len(y) - 1)
    mean, kept = ((some / (2 * y.shape[1])).sum(axis=1) for some in (y, drawn))
    assert (kept.min(), kept.max()) == (mean.min(), mean.max())


def test_points_without_a_place_on_a_logarithmic_axis_are_gaps():
    log, linear = Axis("", "log"), Axis("")
    x, y = drawable(np.array([0.0, 1, 2, np.nan]), np.array([1.0, -1, 2, 3]), log, log, 10)
    assert x.tolist() == [1, 2]
    assert np.isnan(y[0])
    x, y = drawable(np.array([0.0, 1]), np.array([-1.0, np.inf]), linear, linear, 10)
    assert x.tolist() == [0, 1]
    assert y[0] == -1
    assert np.isnan(y[1])


def specs(*values):
    return [leaves({"model": {"depth": depth}, "init": {"std": std}, "seed": seed}) for depth, std, seed in values]


def test_fields_that_move_together_count_once_and_seeds_are_repetitions():
    together = specs((2, 0.1, 0), (2, 0.1, 1), (3, 0.2, 0))
    assert varying_paths(together) == ["model.depth"]
    assert varying_paths(together, ["init.std"]) == ["init.std"]
    crossed = specs((2, 0.1, 0), (2, 0.2, 1), (3, 0.2, 0))
    assert varying_paths(crossed) == ["model.depth", "init.std"]
    assert varying_paths(specs((2, 0.1, 0), (2, 0.1, 1))) == []


def test_looks_tell_runs_apart():
    crossed = specs((2, 0.1, 0), (2, 0.2, 1), (3, 0.2, 0))
    looks, scale = looks_of(crossed, varying_paths(crossed))
    assert scale is None
    assert [(look.color, look.dash) for look in looks] == [(0, "solid"), (0, "dash"), (1, "dash")]
    assert looks[0].name == "depth 2, init std 0.1"
    many = specs(*((2, 10.0**-power, 0) for power in range(12)))
    looks, scale = looks_of(many, varying_paths(many))
    assert scale is not None
    assert (scale.scale, scale.low, scale.high) == ("log", 1e-11, 1.0)
    assert looks[0].color == Shade(1.0)
    assert looks[-1].color == Shade(0.0)


def test_a_swept_part_is_told_by_its_kind_and_a_second_field_where_it_tells_more():
    """The optimisers of the preset singh_2026: two of them are adam, and rates tell none of them."""
    optimizers = [
        {"learning_rate": {"from": 0.01}, "kind": "gradient_descent"},
        {"learning_rate": {"from": 0.01}, "kind": "adam", "epsilon": 1e-8, "shared_scale": True},
        {"learning_rate": {"from": 0.003}, "kind": "adam", "epsilon": 1e-8, "shared_scale": False},
        {"learning_rate": {"from": 0.003}, "kind": "lion", "beta_1": 0.9},
    ]
    swept = [leaves({"model": {"depth": 2}, "optimizer": optimizer, "seed": 0}) for optimizer in optimizers]
    looks, _ = looks_of(swept, varying_paths(swept, ["optimizer", "seed"]))
    names = ["gradient descent", "adam, shared scale", "adam, not shared scale", "lion"]
    assert [look.name for look in looks] == names
    assert [look.dash for look in looks] == ["solid", "dash", "solid", "solid"]
    assert looks[1].color == looks[2].color


def test_labels_of_settings():
    assert label_of(leaves({"init": {"balanced": False}}), ["init.balanced"]) == "not balanced"
    assert label_of(leaves({"optimizer": {"kind": "group_rmsprop"}}), ["optimizer.kind"]) == "group rmsprop"
    assert label_of({}, ["model.rank"]) == "no model rank"


def test_panels_stand_in_as_many_columns_as_there_is_room_for():
    picture = Picture("", tuple(Panel(Axis("x"), Axis("y")) for _ in range(8)), columns=4)
    widths = {None: 4, 2000: 4, layout.TWO_COLUMNS: 4, layout.ONE_COLUMN: 1, 200: 1}
    for width, columns in widths.items():
        size = layout.size_of(picture, width)
        assert size.columns == columns
        assert size.rows * size.columns >= 8
        assert width in (None, size.width)
    size = layout.size_of(picture, None)
    assert [layout.shows_x_label(picture, size, place) for place in range(8)] == [False] * 4 + [True] * 4
    assert [layout.shows_y_label(picture, size, place) for place in range(8)] == [True, False, False, False] * 2


def test_a_name_is_in_the_legend_once():
    named = (("ink", "bound"), (0, "a"), (1, "a"))
    lines = tuple(Line(np.arange(2), np.arange(2), color, name) for color, name in named)
    entries = layout.legend_of(Picture("", (Panel(Axis("x"), Axis("y"), lines),)))
    assert [(entry.name, entry.color) for entry in entries] == [("a", 0), ("bound", "ink")]


def test_every_metric_has_an_axis_with_words():
    for metric in METRICS:
        assert "_" not in axis_of(metric).label


def test_colours_can_be_seen_on_their_background():
    for theme in THEMES.values():
        for color in (theme.ink, theme.muted, theme.alarm, *theme.palette):
            assert contrast(color, theme.background) >= 2.2, (color, theme.background)
        assert contrast(theme.ink, theme.background) >= 7
        assert theme.color(Shade(0.0)) == theme.sequence[0]
        assert theme.color(Shade(1.0)) == theme.sequence[-1]


def contrast(first, second):
    """Contrast ratio of two colours (WCAG 2.2)."""
    darker, lighter = sorted(map(luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color):
    channels = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
