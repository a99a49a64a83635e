"""Labels of figures have as many digits as tell the numbers apart, wherever they stand."""

import numpy as np
import pytest

from service.figures.kinds import KINDS
from service.figures.kinds.base import Ask, DrawnRun, Scene
from service.figures.kinds.sweep import KIND as SWEEP
from service.figures.layout import legend_of
from service.figures.looks import looks_of
from service.figures.variation import labels_of, leaves, varying_paths
from service.values.labels import start_labels
from tests.figures.any_runs import SPECS
from workers.runs.metrics import BY_NAME
from workers.runs.spec import RunSpec

CLOSE = (0.19999951, 0.19999952)
WORDS = [str(value) for value in CLOSE]


def resolved(path, value):
    run = SPECS[0].resolved()
    part, name = path.split(".")
    return RunSpec.model_validate({**run, part: {**run[part], name: value}}).resolved()


@pytest.mark.parametrize("path", ["optimizer.learning_rate", "init.std"])
def test_legends_and_titles(path):
    specs = [leaves(resolved(path, value)) for value in CLOSE]
    assert varying_paths(specs) == [path]
    looks, _ = looks_of(specs, [path])
    assert [look.name.split()[-1] for look in looks] == WORDS
    assert [label.split()[-1] for label in labels_of(specs, [path])] == WORDS


def test_starts():
    starts = start_labels([resolved("init.std", value) for value in (*CLOSE, CLOSE[0])])
    assert starts == ["0.19999951 unbalanced", "0.19999952 unbalanced", "0.19999951 unbalanced"]
    assert start_labels([resolved("init.std", value) for value in (0.1, 0.2)]) == ["0.1 unbalanced", "0.2 unbalanced"]


def test_the_axes_of_a_heat_map():
    runs = [
        DrawnRun(f"r{index}", "a", resolved("optimizer.learning_rate", value), {"loss": index, "outcome": "converged"})
        for index, value in enumerate((*CLOSE, 0.5))
    ]
    (panel,) = SWEEP.picture(Scene(runs, Ask(metric="loss"), 100)).panels
    assert panel.series[0].columns == (*WORDS, "0.5")


def numbers_of(column):
    falling = np.array([0.5, 0.3, 0.2])
    if column in ("step", "time"):
        return np.array([0, 10, 20])
    return (
        np.outer(falling, [1, 0.5])
        if BY_NAME[column].type == "vector"
        else falling
        if column == "loss"
        else 1 - falling
    )


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.applies(SPECS[0]) and kind.reads_points])
def test_no_legend_or_title_or_description_of_a_kind_merges_close_starts(name):
    kind = KINDS[name]
    ask = kind.settle(Ask(), SPECS[:1])
    columns = {column: numbers_of(column) for column in kind.columns(SPECS[0], ask)}
    specs = [resolved("init.std", value) for value in CLOSE]
    row = {"index": 0, "outcome": None, **dict.fromkeys(kind.summary(ask))}
    runs = [DrawnRun(f"r{index}", f"e{index}", spec, row, columns) for index, spec in enumerate(specs)]
    picture = kind.picture(Scene(runs, ask, 1000))
    said = [entry.name for entry in legend_of(picture)] + [panel.title for panel in picture.panels]
    if any("0.2" in text or "0.1999" in text for text in said):
        assert [word for word in WORDS if any(word in text for text in said)] == WORDS
