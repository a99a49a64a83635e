"""Every metric of the catalogue has its formula, its page, its source and its axis, and can be drawn."""

from pathlib import Path

import pytest

from service.cli.metrics import metrics_table
from service.figures.metric_axes import axis_of
from tests.kinds.combinations import combinations
from workers.lab.metrics import matricisations, matrix, tensor
from workers.lab.rank_search import RANKS
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
from workers.runs.metrics.metric import View

OF_ENGINES = {"loss", "conservation_drift"}
"""Columns that only an engine can tell."""

OF_SOLVERS_AND_SEARCHES = {*RANKS, "linear_reconstruction_error", "solver", "duality_gap", "constraint_violation"}
SPECS = [spec for combination in combinations() for spec in combination.specs[:1]]
VIEWS = View.__args__


def test_no_metric_is_there_twice():
    assert len(BY_NAME) == len(CATALOGUE)


def test_every_metric_of_points_has_a_formula_and_no_formula_is_without_a_metric():
    assert matrix.NAMES | set(tensor.FORMULAS) | set(matricisations.FORMULAS) | OF_ENGINES == set(METRICS)


def test_every_metric_of_summaries_is_measured():
    assert set(SUMMARY_METRICS) == OF_SOLVERS_AND_SEARCHES


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_a_metric_says_what_it_is(metric):
    assert metric.source.endswith(".")
    assert metric.runs
    assert axis_of(metric.name).label
    assert set(metric.shown) <= set(VIEWS)
    assert ("terminal" in metric.shown) == (metric.cell is not None)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_some_run_has_it(metric):
    having = [spec for spec in SPECS if metric.name in (*metrics_of(spec), *summary_metrics_of(spec))]
    assert having


@pytest.mark.parametrize("metric", [BY_NAME[name] for name in ON_REQUEST], ids=lambda metric: metric.name)
def test_a_run_that_must_not_ask_for_it_is_told_why(metric):
    for spec in SPECS:
        if metric.name in spec.record.metrics:
            assert metric.misfit(spec) is None
        elif (reason := metric.misfit(spec)) is not None:
            assert reason.endswith(".")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_something_in_one_order(view):
    positions = [metric.shown[view] for metric in CATALOGUE if view in metric.shown]
    assert positions
    assert len(set(positions)) == len(positions)
    assert len(shown_in(view)) == len(positions)


def test_the_documentation_has_the_catalogue():
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert "\n".join(metrics_table()) in page.read_text()
