"""Figures of vectors: a line for each component, with what it is called, and what a run is held against."""

import json

import numpy as np
import pytest

from service.figures.kinds import KINDS
from service.figures.kinds.base import Ask, DrawnRun, Scene
from service.figures.renderers import Style, render
from tests.helpers.specs import run_whole, spec
from workers.runs.metrics import METRICS, ON_REQUEST

KIND_NAMES = [name for name in KINDS if name in METRICS and METRICS[name] == "vector" and name != "component_norms"]
RECORD = {"every": 1, "metrics": [name for name in KIND_NAMES if name in ON_REQUEST]}


def drawn(**parts):
    run = spec(stop={"max_steps": 20}, record=RECORD, **parts)
    columns = {name: np.asarray(column) for name, column in run_whole(run).points.columns.items()}
    row = {"index": 0, "status": "succeeded", "outcome": "budget_exhausted", "step": 20}
    return DrawnRun("run-0", "experiment", run.resolved(), row, columns)


def lines_of(name, run, **asked):
    kind = KINDS[name]
    assert kind.applies(run.spec)
    ask = kind.settle(Ask(**asked), [run.spec])
    picture = kind.picture(Scene([run], ask, 100_000))
    for format in ("json", "svg", "png"):
        assert render(picture, format, Style())
    assert json.loads(render(picture, "json", Style()))["data"]
    (panel,) = picture.panels
    return panel.series


@pytest.mark.slow
@pytest.mark.parametrize("name", KIND_NAMES)
@pytest.mark.parametrize("x", ["step", "time", "loss"])
def test_every_component_is_a_line(name, x):
    run = drawn()
    lines = [line for line in lines_of(name, run, x=x) if "run run-0" in line.about]
    assert len(lines) == run.columns[name].shape[1]
    assert len({line.about for line in lines}) == len(lines)


def test_layers_share_a_colour_and_an_entry_in_the_legend():
    run = drawn(model={"kind": "deep_matrix", "depth": 3})
    lines = lines_of("layer_singular_values", run)
    assert [line.name for line in lines] == ["layer 1", "layer 1", "layer 2", "layer 2", "layer 3", "layer 3"]
    assert [line.color for line in lines] == [0, 0, 1, 1, 2, 2]
    assert lines[3].about.startswith("layer 2, singular value 2")


def test_alignment_names_its_four_numbers():
    lines = lines_of("singular_vector_alignment", drawn())
    assert [line.name for line in lines] == [
        "mean on the diagonal",
        "deviation on the diagonal",
        "mean off the diagonal",
        "deviation off the diagonal",
    ]


@pytest.mark.parametrize(("x_scale", "ends"), [("linear", [0.0, 20.0]), ("log", [1.0, 20.0])])
def test_eigenvalues_are_beside_two_over_the_learning_rate(x_scale, ends):
    run = drawn(optimizer={"kind": "gradient_descent", "learning_rate": 0.02})
    *_, level = lines_of("hessian_eigenvalues", run, x_scale=x_scale)
    assert (level.name, level.dash) == ("2 / learning rate", "dash")
    assert level.y.tolist() == [100.0, 100.0]
    assert level.x.tolist() == ends


def test_other_optimisers_have_no_such_line():
    run = drawn(optimizer={"kind": "momentum", "learning_rate": 0.02, "beta": 0.5})
    assert all("learning rate" not in line.name for line in lines_of("hessian_eigenvalues", run))
