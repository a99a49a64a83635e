"""Figures over HTTP: every kind in every format, and the values they show."""

import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import image

from service.figures.kinds import KINDS
from tests.api.figures import MATRICES, OF_MATRICES, OF_TENSORS, columns_of, path_of, plotly, runs_of, traces_about
from tests.api.test_tensors import SWEEP as TENSORS
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.slow


def check_every_format(api, experiment, name, **parameters):
    for theme in ("light", "dark"):
        plotly(api, experiment, f"{name}.json", **parameters, theme=theme)
    png = api.get(path_of(experiment, f"{name}.png"), params={**parameters, "theme": "dark", "width": 400, "scale": 1})
    assert png.headers["content-type"] == "image/png"
    assert image.imread(io.BytesIO(png.content)).shape[1] == 400
    svg = api.get(path_of(experiment, f"{name}.svg"), params={**parameters, "width": "column"})
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
    ranks = ["effective rank", "stable rank", "participation ratio", "distance to infimal rank"]
    assert titles == norms + ranks
    heights = [figure["layout"][f"yaxis{number}"]["domain"][0] for number in range(2, 10)]
    assert min(heights[:4]) > max(heights[4:])
    bounded = [one["xaxis"] for one in figure["data"] if one.get("text") == "theory's bound"]
    assert bounded == ["x", "x2", "x3", "x4", "x5", "x6", "x9"]


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


def test_json_is_made_for_both_themes(api, matrices):
    for theme in ("light", "dark"):
        figure = plotly(api, matrices, "unobserved_entry.json", theme=theme)
        assert figure["layout"]["paper_bgcolor"] == figure["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert "white" not in json.dumps(figure).lower()
