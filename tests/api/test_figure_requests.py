"""Figures over HTTP: which there are, what is refused, what is not there yet, what is not sent again, samples."""

import copy
import re

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.figures.renderers import MEDIA_TYPES
from service.settings import Limits
from tests.api.figures import MATRICES, OF_MATRICES, OF_TENSORS, columns_of, path_of, plotly, runs_of, traces_about
from tests.api.test_tensors import SWEEP as TENSORS
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.slow


def test_the_list_says_which_figures_apply(api, finish, matrices):
    found = api.get(f"/v1/experiments/{matrices['id']}/figures").json()
    assert found["default"] == "unobserved_entry"
    assert {one["name"] for one in found["items"]} == set(OF_MATRICES)
    for one in found["items"]:
        assert one["title"]
        assert one["about"]
        # Each format is drawn in test_figures; here a path is one of this figure.
        assert one["files"] == {kind: path_of(matrices, f"{one['name']}.{kind}") for kind in MEDIA_TYPES}
        assert api.head(one["files"]["json"]).status_code == 200
    tensors = finish(TENSORS)
    assert api.get(f"/v1/experiments/{tensors['id']}/figures").json()["default"] == "observations"
    up_to_one_unobserved = copy.deepcopy(TENSORS) | {"sweep": [{"problem.observed": [10, 63]}]}
    path = f"/v1/experiments/{finish(up_to_one_unobserved)['id']}/figures"
    assert api.get(path).json()["default"] == "observations"
    one = copy.deepcopy(TENSORS) | {"sweep": [{"problem.observed": [20]}]}
    assert api.get(f"/v1/experiments/{finish(one)['id']}/figures").json()["default"] == "component_norms"


@pytest.mark.parametrize(
    ("file", "parameters", "status", "said"),
    [
        ("beauty.png", {}, 404, "there are convergence, unobserved_entry"),
        ("metrics.gif", {}, 404, "png, svg, json"),
        ("metrics", {}, 404, "metrics.png"),
        ("component_norms.png", {}, 404, "it has unobserved_entry, metrics"),
        ("metrics.png", {"metrics": "loss,beauty"}, 422, "There is no metric 'beauty'; its runs have loss"),
        ("metrics.png", {"metrics": "reconstruction_error"}, 422, "No run of this experiment has the metric"),
        ("metrics.png", {"x": "depth"}, 422, "step, time or loss"),
        ("metrics.png", {"metric": "loss"}, 422, "it takes metrics, x, x_scale, width"),
        ("metrics.png", {"color": "red"}, 422, "no parameter 'color'"),
        ("metrics.png", {"width": "wide"}, 422, "integer"),
        ("metrics.png", {"width": "5"}, 422, "200"),
        ("metrics.png", {"theme": "pink"}, 422, "'light' or 'dark'"),
        (
            "sweep.png",
            {"x": "model.width"},
            422,
            "those that differ between runs: model.depth, optimizer.learning_rate",
        ),
        ("sweep.png", {"metric": "singular_values"}, 422, "single number"),
        ("compare.png", {"with": "nobody"}, 404, "'nobody'"),
        ("compare.png", {"with": ",".join("abcdefghij")}, 422, "RANKWARD_MAX_EXPERIMENTS_PER_FIGURE"),
        ("compare.png", {"metric": "entries"}, 422, "entries"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_can(api, matrices, file, parameters, status, said):
    answer = api.get(path_of(matrices, file), params=parameters)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text.replace('\\"', '"')
    if status == 422:
        assert answer.json()["errors"][0]["pointer"] in {f"/{name}" for name in parameters}


def test_an_experiment_that_is_not_there(api):
    for path in ("figures", "figures/metrics.png"):
        assert api.get(f"/v1/experiments/nobody/{path}").status_code == 404


def test_nothing_yet_is_a_picture_that_says_so(api):
    for experiment, names in ((MATRICES, OF_MATRICES), (TENSORS, OF_TENSORS)):
        waiting = api.post("/v1/experiments", json=experiment).json()
        for name in names:
            (said,) = plotly(api, waiting, f"{name}.json")["layout"]["annotations"]
            over = name in ("sweep", "observations")
            assert said["text"] == ("No run is over yet." if over else "No points recorded yet.")
            assert api.get(path_of(waiting, f"{name}.png")).content.startswith(b"\x89PNG")


def test_the_same_data_are_the_same_bytes(api, matrices):
    for file in ("unobserved_entry.svg", "unobserved_entry.png", "sweep.svg", "metrics.json"):
        first, second = (api.get(path_of(matrices, file)) for _ in range(2))
        assert first.content == second.content
        assert first.headers["etag"] == second.headers["etag"]
    assert not re.search(rb"\d{4}-\d\d-\d\dT", api.get(path_of(matrices, "sweep.svg")).content)


def test_a_figure_that_has_not_changed_is_not_sent_again(api, matrices, dispatcher):
    path = path_of(matrices, "metrics.json")
    first = api.get(path)
    assert first.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": first.headers["etag"]}
    again = api.get(path, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert api.get(path, params={"theme": "dark"}, headers=tag).status_code == 200
    growing = api.post("/v1/experiments", json=MATRICES).json()
    before = api.get(path_of(growing, "metrics.json"))
    dispatcher.tick()
    dispatcher.tick()
    after = api.get(path_of(growing, "metrics.json"), headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    head = api.head(path_of(growing, "metrics.json"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == after.headers["etag"]


def test_of_too_many_runs_a_sample_is_drawn_and_the_picture_says_so(database, settings, api, finish):
    experiment = finish(MATRICES)
    app = create_app(settings, Limits(max_runs_per_figure=3))
    with TestClient(app, base_url="http://localhost") as small:
        figure, again = (plotly(small, experiment, "metrics.json", metrics="loss") for _ in range(2))
        assert figure == again
        assert figure["layout"]["title"]["text"] == "A sample: 3 of 8 runs are drawn."
        assert len({one["text"] for one in figure["data"] if "text" in one}) == 3
        assert "title" not in plotly(small, experiment, "sweep.json")["layout"]
    app = create_app(settings, Limits(max_points_read_per_figure=1))
    with TestClient(app, base_url="http://localhost") as smaller:
        note = plotly(smaller, experiment, "unobserved_entry.json")["layout"]["title"]["text"]
    assert note == "A sample: 1 of 8 runs are drawn."


def test_long_lines_are_thinned_and_keep_their_extremes(settings, api, finish):
    experiment = finish({"run": BASIC | {"stop": {"max_steps": 1000}, "record": {"every": 1}}})
    (run,) = runs_of(api, experiment)
    stored = columns_of(api, run)
    with TestClient(
        create_app(settings, Limits(max_points_drawn_per_figure=100)), base_url="http://localhost"
    ) as small:
        (line,) = traces_about(plotly(small, experiment, "metrics.json", metrics="balancedness_gap"), run)
    values = dict(zip(stored["step"], stored["balancedness_gap"], strict=True))
    assert 20 < len(line["x"]) <= 100
    assert all(values[x] == y for x, y in zip(line["x"], line["y"], strict=True))
    assert {min(line["y"]), max(line["y"])} == {min(values.values()), max(values.values())}
    assert (line["x"][0], line["x"][-1]) == (0, 1000)
