"""What holds of every metric of the catalogue: where it is recorded, its formula, its axis, its figures, its places."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from service.cli.metrics import metrics_table
from service.cli.show import print_runs
from service.figures.kinds import metrics as metrics_figure
from service.figures.kinds import sweep as sweep_figure
from service.figures.kinds.base import Ask, DrawnRun, Scene
from service.figures.metric_axes import axis_of, shown
from service.figures.renderers import Style, render
from service.limits import first_violation
from service.settings import Limits
from tests.helpers.losses import fitted
from tests.helpers.specs import member, run_whole
from tests.kinds.examples import example_of, kinds_of, models_of
from tests.kinds.fitting import SHAPES, changed, fitting_examples, training, valid, with_all_metrics
from workers.joining import joined
from workers.lab.metrics import components, gains, matricisations, matrix, penalties, tensor
from workers.lab.rank_search import RANKS
from workers.records import Batch, Budget
from workers.results import Points, SliceResult
from workers.runs.losses import Logistic
from workers.runs.metrics import (
    BY_NAME,
    CATALOGUE,
    METRICS,
    ON_REQUEST,
    SUMMARY_METRICS,
    metrics_of,
    shown_in,
    summary_metrics_of,
)
from workers.runs.metrics.metric import View, free
from workers.runs.models import Model
from workers.runs.models.deep_matrix import DeepMatrix
from workers.runs.optimizers import GradientDescent, GradientFlow
from workers.runs.problems import Problem
from workers.runs.spec import RunSpec
from workers.slices import run_slice

OF_ENGINES = {"loss", "conservation_drift", "phase"}
"""Columns that an engine alone can tell, or who gives it a phase to descend."""
OF_SOLVERS = {"solver", "duality_gap", "constraint_violation", "stationarity"}
OF_SEARCHES_AND_SOLVERS = {*RANKS, "linear_reconstruction_error", *OF_SOLVERS}
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
KNOWN_TARGET = {
    "kind": "completion",
    "shape": [2, 2],
    "observations": [{"index": [0, 0], "value": 1.0}, {"index": [1, 1], "value": 2.0}],
    "target": [[1.0, 0.0], [0.0, 2.0]],
}
DESCENT = training() | {"stop": {"max_steps": 4}, "record": {"every": 4}}
DECAYING = DESCENT | {"optimizer": {**example_of(GradientDescent), "weight_decay": 0.1}}
PHASED = DESCENT | {"phases": [{"stop": {"max_steps": 4}}]}
FLOW = training() | {
    "optimizer": example_of(GradientFlow),
    "stop": {"max_time": 0.5},
    "record": {"points_per_decade": 1},
}


def specs() -> Iterator[RunSpec]:
    """Every model on every problem and shape, descending and flowing in turns, with all metrics on request and none."""
    ways = cycle((DESCENT, FLOW, DECAYING))
    for _, model in models_of(Model):
        problems = [example for kind in kinds_of(Problem) for example in fitting_examples(model, kind)]
        labels = [fitted(example_of(Logistic), one) for kind in SHAPES for one in fitting_examples(model, kind)]
        parts = [*({"problem": problem} for problem in (*problems, KNOWN_TARGET)), *labels]
        for observed in parts:
            spec = valid(next(ways) | {"model": model} | observed)
            if spec is not None:
                yield spec
                yield with_all_metrics(spec)
    yield RunSpec.model_validate(PHASED | {"problem": KNOWN_TARGET, "model": example_of(DeepMatrix)})


SPECS = list(specs())
every_metric = pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)


def name_of(spec: RunSpec) -> str:
    shape = "x".join(map(str, spec.problem.shape))
    kinds = (spec.model.kind, spec.problem.kind, shape, spec.loss.kind, spec.optimizer.kind)
    return "-".join((*kinds, f"{len(spec.record.metrics)}"))


@cache
def result_of(spec: RunSpec) -> SliceResult:
    """To its end: one slice, and another for each further phase."""
    result = run_whole(spec)
    for _ in spec.phases or ():
        further = run_slice(Batch((member(spec, result.progress[0].checkpoint),)), Budget(600))
        both = joined([result, further]).points
        result = replace(further, points=Points(np.zeros_like(both.member), both.columns))
    return result


def run_with(name: str) -> RunSpec:
    return next(spec for spec in SPECS if name in (*metrics_of(spec), *summary_metrics_of(spec)))


def drawn(spec: RunSpec, number: int = 0) -> DrawnRun:
    """A run as a figure gets it."""
    result = result_of(spec)
    summary = result.progress[0].summary
    columns = {name: np.asarray(column) for name, column in result.points.columns.items()}
    last = {name: column[-1] for name, column in columns.items() if column.ndim == 1}
    row = {"index": number, "status": "succeeded", "outcome": "budget_exhausted", "step": 1}
    return DrawnRun(f"run-{number}", "experiment", spec.resolved(), row | last | summary, columns)


@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_columns_are_there_exactly_where_they_apply(spec):
    columns = result_of(spec).points.columns
    assert set(columns) == {"step", "time", *metrics_of(spec)}
    for name in metrics_of(spec):
        assert columns[name].ndim == (2 if METRICS[name] == "vector" else 1), name
        last = columns[name][-1]
        # Solvers end at exact zeros, and so at determinants of 0.
        assert np.isfinite(last).all() or (name == "log_abs_determinant" and last == -np.inf), name


@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_summaries_hold_exactly_what_applies(spec):
    summary = result_of(spec).progress[0].summary
    assert {name for name in SUMMARY_METRICS if summary.get(name) is not None} == set(summary_metrics_of(spec))


@every_metric
def test_some_run_has_it_and_only_on_request_if_so_said(metric):
    unasked = [spec for spec in SPECS if metric.name in (*metrics_of(spec), *summary_metrics_of(spec))]
    assert unasked
    if metric.on_request and metric.of_points:
        assert all(metric.name in spec.record.metrics for spec in unasked)


@pytest.mark.parametrize("name", ON_REQUEST)
def test_a_request_is_refused_exactly_where_it_does_not_fit(name):
    too_large = {"kind": "low_rank_completion", "shape": [100, 100], "rank": 1, "observed": 5}
    for spec in (*SPECS, changed(SPECS[0], problem=too_large)):
        parts = spec.resolved() | {"record": {**spec.resolved()["record"], "metrics": [name]}}
        if BY_NAME[name].misfit(spec) is None:
            assert RunSpec.model_validate(parts).record.metrics == (name,)
        else:
            with pytest.raises(ValidationError, match=r"; leave (it|the metric) out"):
                RunSpec.model_validate(parts)


def test_every_metric_has_one_entry():
    assert len(CATALOGUE) == len(METRICS) + len(SUMMARY_METRICS) == len(BY_NAME)


def test_formulas_are_those_that_the_catalogue_asks_for():
    of_tensors = {*tensor.FORMULAS, *components.FORMULAS, *gains.FORMULAS, *matricisations.FORMULAS}
    assert matrix.NAMES | penalties.NAMES | of_tensors | OF_ENGINES == set(METRICS)
    assert set(SUMMARY_METRICS) == OF_SEARCHES_AND_SOLVERS


@every_metric
def test_it_has_an_axis_in_words_and_a_source(metric):
    assert axis_of(metric.name).label
    assert "_" not in axis_of(metric.name).label
    assert axis_of(metric.name).whole == metric.axis.is_whole
    assert (shown(metric.name, np.array([-1.0])) == (1.0 if metric.axis.is_size else -1.0)).all()
    assert metric.source.endswith(".")
    assert metric.runs


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("x", ["step", "loss"])
def test_the_figure_metrics_draws_it(name, x):
    runs = [drawn(run_with(name))]
    ask = metrics_figure.KIND.settle(Ask(metrics=(name,), x=x), [run.spec for run in runs])
    picture = metrics_figure.KIND.picture(Scene(runs, ask, 1000))
    (panel,) = picture.panels
    lines = [line for line in panel.series if line.about.startswith("run run-0")]
    assert len(lines) == (runs[0].columns[name].shape[1] if METRICS[name] == "vector" else 1)
    assert json.loads(render(picture, "json", Style()))["data"]


@pytest.mark.parametrize("name", [metric.name for metric in CATALOGUE if metric.is_number])
def test_the_figure_sweep_draws_it(name):
    spec = run_with(name)
    runs = [drawn(spec), drawn(changed(spec, seed=1), 1)]
    ask = sweep_figure.KIND.settle(Ask(metric=name), [run.spec for run in runs])
    picture = sweep_figure.KIND.picture(Scene(runs, ask, 1000))
    assert np.isfinite(picture.panels[0].series[0].values).any()
    assert BY_NAME[name].label in picture.color_scale.label


@pytest.mark.parametrize("view", get_args(View))
def test_every_view_shows_some_single_numbers(view):
    names = shown_in(view)
    assert names
    assert len({BY_NAME[name].shown[view] for name in names}) == len(names)
    assert all(BY_NAME[name].is_number for name in names)
    if view not in ("runs", "terminal"):
        assert set(names) <= set(METRICS)


def test_the_command_line_shows_a_column_for_every_heading(capsys):
    headings = {name: BY_NAME[name].cell for name in shown_in("terminal")}
    assert {metric.name for metric in CATALOGUE if metric.cell} == set(headings)
    assert len({cell.heading for cell in headings.values()}) == len(headings)
    summary = dict.fromkeys(headings, 1)
    run = {"spec": SPECS[0].resolved(), "summary": summary, "step": 1, "outcome": None, "status": "running"}
    run |= {"id": "a" * 36, "experiment_id": "b" * 36, "error": None}
    print_runs([run])
    output = capsys.readouterr().out
    assert all(cell.heading in output for cell in headings.values())


@pytest.mark.parametrize(
    "metric", [metric for metric in CATALOGUE if metric.gradients is not free], ids=lambda metric: metric.name
)
def test_a_costly_metric_has_a_limit_that_counts_where_it_is_recorded(metric):
    limit = metric.limit
    spec = next(spec for spec in SPECS if metric.applies(spec))
    assert getattr(Limits(), limit.name) == limit.default
    tight = Limits.model_validate({limit.name: 1})
    pointer, sentence = first_violation(spec, tight)
    assert pointer == ("record", "metrics")
    assert f"RANKWARD_{limit.name.upper()}" in sentence
    assert first_violation(changed(spec, record={"every": 1}), tight) is None


def test_parts_of_a_batch_with_different_metrics_are_joined():
    parts = [result_of(spec) for spec in SPECS if spec.problem.shape == (2, 2) and spec.descends][:4]
    points = joined(parts).points
    for run, part in enumerate(parts):
        for name, column in points.columns.items():
            theirs = part.points.columns.get(name, np.nan)
            np.testing.assert_array_equal(
                column[points.member == run], np.broadcast_to(theirs, column[points.member == run].shape)
            )


def test_the_table_in_the_document_is_the_catalogue():
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert rows == [line for line in metrics_table() if line.startswith("| `")]
