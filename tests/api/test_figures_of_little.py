"""Figures over HTTP of runs with little or nothing to draw, of runs that diverge, and of experiments with any names."""

from itertools import cycle

import pytest

from service.figures.renderers import MEDIA_TYPES
from tests.api.figures import path_of, plotly
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.slow

SHORT = BASIC | {"init": {"kind": "gaussian", "std": 0.5}, "stop": {"max_steps": 300}}
ALL_OBSERVED = {
    "kind": "completion",
    "shape": [2, 2],
    "observations": [{"index": [row, column], "value": 1 + 2 * row + column} for row in (0, 1) for column in (0, 1)],
}
ZERO = {"kind": "explicit", "factors": [[[0, 0], [0, 0]]] * 2}
RUNS = {
    "every entry observed": SHORT | {"problem": ALL_OBSERVED},
    "no step": SHORT | {"stop": {"max_steps": 0}},
    "below at once": SHORT | {"stop": {"max_steps": 300, "loss_below": 10}},
    "all zero": SHORT | {"init": ZERO, "model": {"kind": "deep_matrix", "depth": 2}, "stop": {"max_steps": 5}},
    "diverging": SHORT | {"optimizer": {"kind": "gradient_descent", "learning_rate": 100}},
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
def test_every_figure_that_applies_comes_as_data_and_as_a_picture_on_every_axis(api, finish, run):
    experiment = finish({"run": run})
    pictures = cycle(format for format in MEDIA_TYPES if format != "json")
    for figure in api.get(f"/v1/experiments/{experiment['id']}/figures").json()["items"]:
        for format in ("json", next(pictures)):
            answer = api.get(figure["files"][format], params={"width": 390})
            assert answer.status_code == 200, (figure["name"], format, answer.text)
    for name in ("metrics", "singular_values", "compare"):
        for x in ("step", "time", "loss"):
            for scale in ("linear", "log"):
                assert plotly(api, experiment, f"{name}.json", x=x, x_scale=scale)["data"]


def test_a_run_of_no_steps_is_a_point_and_the_picture_says_why_its_axis_is_linear(api, finish):
    experiment = finish({"run": RUNS["no step"]})
    figure = plotly(api, experiment, "metrics.json", metrics="loss")
    assert figure["layout"]["xaxis"]["type"] == "linear"
    assert "A linear axis: nothing is above 0 in steps." in [note["text"] for note in figure["layout"]["annotations"]]
    assert [trace["x"] for trace in figure["data"] if trace["mode"] == "markers"] == [[0]]
    svg = api.get(path_of(experiment, "metrics.svg"), params={"metrics": "loss"}).text
    assert "A linear axis: nothing is above 0 in steps." in svg


def test_what_diverged_is_drawn_as_far_as_it_is_finite(api, finish):
    experiment = finish({"run": RUNS["diverging"]})
    figure = plotly(api, experiment, "unobserved_entry.json")
    line = next(trace for trace in figure["data"] if trace.get("mode") == "lines" and trace["x"] != [None])
    assert sum(value is not None for value in line["y"]) >= 2


def test_names_are_compared_as_they_are_typed(api, finish):
    names = ["US$ 5% of $x", "_first", "<b>bold</b>", "<b>bold</b>", "<b>bold</b> (1)", "日本語 🎉", "a\u202eb\n"]
    first, *others = [finish({"name": name, "run": BASIC | {"stop": {"max_steps": 20}}}) for name in names]
    asked = {"with": ",".join(other["id"] for other in others)}
    figure = plotly(api, first, "compare.json", **asked)
    legend = [trace["name"].replace("<br>", " ") for trace in figure["data"] if trace["showlegend"]]
    assert legend[:2] == names[:2]
    assert legend[2].startswith("&lt;b>bold&lt;/b>")
    assert legend[-2:] == ["日本語 🎉", r"a\u202eb\n"]
    assert len(set(legend)) == len(names)
    svg = api.get(path_of(first, "compare.svg"), params=asked)
    assert svg.status_code == 200
    assert "<!-- US$ 5% of $x -->" in svg.text
    assert "<!-- _first -->" in svg.text


def test_a_sweep_labels_close_rates_apart(api, finish):
    close = [0.19999951, 0.19999952]
    sweep = [{"optimizer.learning_rate": close}, {"init.std": [0.1, 0.2]}]
    experiment = finish({"run": BASIC | {"stop": {"max_steps": 20}}, "sweep": sweep})
    cells = plotly(api, experiment, "sweep.json", x="optimizer.learning_rate", y="init.std")["data"][0]
    assert (cells["x"], cells["y"]) == ([str(value) for value in close], ["0.1", "0.2"])
    titles = [note["text"] for note in plotly(api, experiment, "singular_values.json")["layout"]["annotations"]]
    assert all(sum(str(value) in title.replace("<br>", " ") for title in titles) == 2 for value in close)
    legend = [one["name"] for one in plotly(api, experiment, "metrics.json")["data"] if one["showlegend"]]
    assert all(sum(str(value) in name.replace("<br>", " ") for name in legend) == 2 for value in close)
