"""Figures over HTTP: every kind in every format, the values they show, what is refused, what is not there yet."""

import copy
import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest
from fastapi.testclient import TestClient
from matplotlib import image

from service.app import create_app
from service.figures.kinds import KINDS
from service.settings import Limits
from tests.api.test_tensors import SWEEP as TENSORS
from tests.specs import BASIC

MATRICES = {
    "name": "matrices",
    "run": BASIC | {"stop": {"max_steps": 300}, "init": BASIC["init"] | {"balanced": True}},
    "sweep": [{"model.depth": [2, 3]}, {"optimizer.learning_rate": [1e-2, 3e-2]}, {"seed": [0, 1]}],
}
OF_MATRICES = ("unobserved_entry", "metrics", "singular_values", "sweep", "compare")
OF_TENSORS = ("observations", "component_norms", "metrics", "sweep", "compare")


@pytest.fixture
def matrices(finish):
    return finish(MATRICES)


def path_of(experiment, file):
    return f"/v1/experiments/{experiment['id']}/figures/{file}"


def plotly(api, experiment, file, **parameters):
    """A figure as JSON, held to Plotly's schema."""
    answer = api.get(path_of(experiment, file), params=parameters)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    go.Figure(found)
    return found


def traces_about(figure, run, panel=""):
    return [
        trace
        for trace in figure["data"]
        if run["id"] in str(trace.get("text", "")) and trace["xaxis"] == f"x{panel}" and trace["mode"] == "lines"
    ]


def runs_of(api, experiment):
    return api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"]


def columns_of(api, run):
    columns = api.get(f"/v1/runs/{run['id']}/trajectory").json()["columns"]
    return {name: np.array(column, dtype=float) for name, column in columns.items()}


def check_every_format(api, experiment, name, **parameters):
    for theme in ("light", "dark"):
        asked = {**parameters, "theme": theme}
        plotly(api, experiment, f"{name}.json", **asked)
        png = api.get(path_of(experiment, f"{name}.png"), params={**asked, "width": 400, "scale": 1})
        assert png.headers["content-type"] == "image/png"
        assert image.imread(io.BytesIO(png.content)).shape[1] == 400
        svg = api.get(path_of(experiment, f"{name}.svg"), params={**asked, "width": "column"})
        assert svg.headers["content-type"].startswith("image/svg+xml")
        assert ElementTree.fromstring(svg.content).get("width") == "252pt"


@pytest.mark.parametrize("name", OF_MATRICES)
def test_every_kind_of_matrices_in_every_format(api, matrices, name):
    check_every_format(api, matrices, name)


def test_every_kind_of_tensors_in_every_format(api, finish):
    experiment = finish(TENSORS)
    for name in OF_TENSORS:
        check_every_format(api, experiment, name)
    assert {*OF_MATRICES, *OF_TENSORS, "convergence"} == set(KINDS)  # that one is tested in test_flows


def test_a_line_has_the_values_that_are_stored(api, matrices):
    figure = plotly(api, matrices, "metrics.json", metrics="effective_rank,frobenius_norm", x="time", x_scale="linear")
    assert figure["layout"]["xaxis"]["title"]["text"] == "time"
    for run in runs_of(api, matrices):
        stored = columns_of(api, run)
        for panel, metric in (("", "effective_rank"), ("2", "frobenius_norm")):
            (line,) = traces_about(figure, run, panel)
            assert line["x"] == stored["time"].tolist()
            assert line["y"] == stored[metric].tolist()


def test_the_unobserved_entry_against_loss(api, matrices):
    figure = plotly(api, matrices, "unobserved_entry.json")
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["depth 2", "depth 3"]
    assert figure["layout"]["xaxis"] == figure["layout"]["xaxis"] | {"type": "log", "autorange": "reversed"}
    for run in runs_of(api, matrices):
        panel = {2: "", 3: "2"}[run["spec"]["model"]["depth"]]
        stored = columns_of(api, run)
        (line,) = traces_about(figure, run, panel)
        assert line["x"] == stored["loss"].tolist()
        assert line["y"] == np.abs(stored["unobserved_entry"]).tolist()
        dots = next(one for one in figure["data"] if run["id"] in str(one.get("text")) and one["mode"] == "markers")
        assert dots["customdata"] == np.maximum(stored["step"], 1).tolist()
        assert dots["marker"]["color"] == pytest.approx(np.log10(dots["customdata"]))
    bounds = [one for one in figure["data"] if one.get("text") == "theory's bound"]
    assert [one["line"]["dash"] for one in bounds] == ["dash", "dash"]


def test_the_page_of_norms_and_ranks(api, finish):
    experiment = finish({"run": BASIC | {"record": {"metrics": ["schatten_quasi_norm"]}}})
    figure = plotly(api, experiment, "metrics.json", x="loss")
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    norms = ["Frobenius norm", "nuclear norm", "spectral norm", "Schatten quasi-norm", "|unobserved entry|"]
    assert titles == [*norms, "effective rank", "stable rank", "distance to infimal rank"]
    heights = [figure["layout"][f"yaxis{number}"]["domain"][0] for number in range(2, 9)]
    assert min(heights[:4]) > max(heights[4:])
    bounded = [one["xaxis"] for one in figure["data"] if one.get("text") == "theory's bound"]
    assert bounded == ["x", "x2", "x3", "x4", "x5", "x6", "x8"]


def test_singular_values_have_a_panel_for_each_sort_of_run(api, matrices):
    figure = plotly(api, matrices, "singular_values.json", x="step")
    assert len(figure["layout"]["annotations"]) == 4
    run = runs_of(api, matrices)[0]
    stored = columns_of(api, run)
    largest, least = traces_about(figure, run)
    after = stored["step"] > 0
    assert figure["layout"]["yaxis"]["type"] == "log"
    assert largest["y"] == stored["singular_values"][after, 0].tolist()
    assert least["y"] == stored["singular_values"][after, 1].tolist()


def test_a_heat_map_shows_medians(api, matrices):
    runs = runs_of(api, matrices)
    asked = {"x": "model.depth", "y": "optimizer.learning_rate", "metric": "loss"}
    figure = plotly(api, matrices, "sweep.json", **asked)
    cells = next(one for one in figure["data"] if one["type"] == "heatmap")
    assert (cells["x"], cells["y"]) == (["2", "3"], ["0.01", "0.03"])
    for row, rate in enumerate([1e-2, 3e-2]):
        for column, depth in enumerate([2, 3]):
            these = [run["summary"]["loss"] for run in runs if _is(run, depth, rate)]
            assert cells["customdata"][row][column] == pytest.approx(np.median(these), rel=1e-15)
    converged = plotly(api, matrices, "sweep.json", metric="outcome")["data"][0]
    assert np.unique(converged["customdata"]).tolist() == [0.0]


def _is(run, depth, rate):
    return run["spec"]["model"]["depth"] == depth and run["spec"]["optimizer"]["learning_rate"] == rate


def test_observations_show_medians_beside_the_baseline(api, finish):
    experiment = finish(TENSORS)
    figure = plotly(api, experiment, "observations.json")
    errors = {one["name"]: one for one in figure["data"] if one.get("xaxis") == "x" and "hovertemplate" in one}
    runs = runs_of(api, experiment)
    for name, metric in (("start 0.01", "reconstruction_error"), ("linear", "linear_reconstruction_error")):
        medians = [
            np.median([run["summary"][metric] for run in runs if run["spec"]["problem"]["observed"] == observed])
            for observed in (20, 50)
        ]
        assert errors[name]["x"] == [20, 50]
        assert errors[name]["y"] == pytest.approx(medians)


def test_experiments_are_compared_by_their_medians(api, finish, matrices):
    other = finish(MATRICES | {"name": "one seed", "sweep": [{"model.depth": [3]}]})
    figure = plotly(api, matrices, "compare.json", **{"with": other["id"], "metric": "loss", "x": "step"})
    lines = {one["name"]: one for one in figure["data"] if "hovertemplate" in one}
    assert lines.keys() == {"matrices", "one seed"}
    (run,) = runs_of(api, other)
    stored = columns_of(api, run)
    here = np.array(lines["one seed"]["x"])
    assert lines["one seed"]["y"] == pytest.approx(np.interp(here, stored["step"], stored["loss"]))
    alike = plotly(api, other, "compare.json", **{"with": finish(MATRICES | {"name": "one seed"})["id"]})
    assert {one["name"] for one in alike["data"] if "hovertemplate" in one} == {"one seed (1)", "one seed (2)"}


def test_the_list_says_which_figures_apply(api, finish, matrices):
    found = api.get(f"/v1/experiments/{matrices['id']}/figures").json()
    assert found["default"] == "unobserved_entry"
    assert {one["name"] for one in found["items"]} == set(OF_MATRICES)
    for one in found["items"]:
        assert one["title"]
        assert one["about"]
        for path in one["files"].values():
            assert api.head(path).status_code == 200
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


def test_json_is_made_for_both_themes(api, matrices):
    for theme in ("light", "dark"):
        figure = plotly(api, matrices, "unobserved_entry.json", theme=theme)
        assert figure["layout"]["paper_bgcolor"] == figure["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert "white" not in json.dumps(figure).lower()
