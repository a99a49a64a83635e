"""What holds of every kind of model, problem, optimiser and start, in every combination and on every engine.

A kind is here by being in its union (`workers.runs`): no test names one.
"""

from functools import cache
from itertools import product

import numpy as np
import pytest

from tests.helpers.slices import EXACT, assert_same, assert_same_progress, points_of, points_of_run, run_in_slices
from tests.helpers.specs import member, run_whole
from tests.kinds.combinations import all_combinations, scheduled
from tests.kinds.combining import RUNS, Combination, is_trained, lengthened
from tests.kinds.examples import kinds_of
from workers.records import Batch, Budget, Outcome
from workers.results import SliceResult
from workers.runs.engines import engine_of
from workers.runs.losses import Kinds
from workers.runs.metrics import SUMMARY_METRICS, metrics_of, summary_metrics_of
from workers.runs.models import Model
from workers.runs.noise import is_stochastic
from workers.runs.optimizers import Optimizer
from workers.runs.problems import Problem
from workers.runs.rates import SCHEDULES
from workers.runs.starts import Start
from workers.slices import run_slice

COMBINATIONS = [*all_combinations()]
"""Each pair of kinds; with --long, every combination."""

UNDEFINED_ON_TIES = {"singular_vector_alignment", "layer_alignment", "gain"}
"""Metrics without a value where singular values tie, as those that are 0 of a product of rank 1, or where the
two vectors of a diagonal product start equal; some runs stay so."""


def pytest_generate_tests(metafunc):
    chosen = [*all_combinations(True)] if metafunc.config.getoption("--long") else COMBINATIONS
    if "combination" in metafunc.fixturenames:
        metafunc.parametrize("combination", chosen, ids=str)
    if "trained" in metafunc.fixturenames:
        metafunc.parametrize("trained", [one for one in chosen if is_trained(one.specs[0])], ids=str)
    if "untrained" in metafunc.fixturenames:
        metafunc.parametrize("untrained", [one for one in chosen if not is_trained(one.specs[0])], ids=str)
    if "undisturbed" in metafunc.fixturenames:
        metafunc.parametrize("undisturbed", [one for one in chosen if is_undisturbed(one.specs[0])], ids=str)


def is_undisturbed(spec):
    """Whether a run moves, and its steps follow the gradient of its loss."""
    return is_trained(spec) and not is_stochastic(spec)


@cache
def whole(combination: Combination) -> SliceResult:
    """The batch run to its end in one slice."""
    return run_whole(*combination.specs)


@pytest.mark.parametrize("union", [Model, Problem, Optimizer, Start, Kinds])
def test_every_kind_is_in_a_combination(union):
    combined = {kind for combination in COMBINATIONS for kind in combination.kinds}
    assert set(kinds_of(union)) <= combined


def test_every_schedule_is_in_a_combination_on_both_engines():
    both = {(type(one.specs[0].optimizer.learning_rate), engine_of(one.specs[0])) for one in scheduled()}
    assert both == set(product(SCHEDULES.values(), ("torch", "fused")))


def test_split_equals_unsplit(combination):
    sliced, points = run_in_slices(combination.specs, [3, 2, 50])
    for ours, theirs in zip(sliced.progress, whole(combination).progress, strict=True):
        assert_same_progress(ours, theirs)
    assert_same(points, points_of(whole(combination)), **EXACT)


def test_what_goes_on_in_a_batch_equals_a_longer_run_alone(trained):
    """And so alone = in a batch, extended = asked for more from the start, the same seed gives the same again."""
    run, short = len(str(trained)) % RUNS, whole(trained)  # in turns the first, a middle and the last
    long = [lengthened(spec, 1 + place) for place, spec in enumerate(trained.specs)]
    going_on = [member(spec, progress.checkpoint) for spec, progress in zip(long, short.progress, strict=True)]
    rest, alone = run_slice(Batch(tuple(going_on)), Budget(600)), run_whole(long[run])
    assert_same_progress(rest.progress[run], alone.progress[0])
    assert_same(points_of_run(short, run) | points_of_run(rest, run), points_of(alone), **EXACT)


def test_alone_equals_batched(untrained):
    run = 1
    alone = run_whole(untrained.specs[run])
    assert_same_progress(alone.progress[0], whole(untrained).progress[run])
    assert_same(points_of(alone), points_of_run(whole(untrained), run), **EXACT)


def test_the_loss_falls(undisturbed):
    for run, progress in enumerate(whole(undisturbed).progress):
        losses = [point["loss"] for _, point in sorted(points_of_run(whole(undisturbed), run).items())]
        assert progress.outcome in (Outcome.CONVERGED, Outcome.BUDGET_EXHAUSTED)
        assert losses[-1] < losses[0]


def test_a_trajectory_has_the_columns_that_apply(combination):
    """A column that no run of a batch has may be absent or empty."""
    for run, spec in enumerate(combination.specs):
        points = points_of_run(whole(combination), run).values()
        measured = {name for point in points for name, value in point.items() if not np.isnan(value).all()}
        applying = {"step", "time", *metrics_of(spec)}
        assert measured <= applying
        assert applying - measured <= UNDEFINED_ON_TIES


def test_a_summary_has_what_applies(combination):
    for spec, progress in zip(combination.specs, whole(combination).progress, strict=True):
        measured = {name for name in SUMMARY_METRICS if progress.summary.get(name) is not None}
        assert measured == set(summary_metrics_of(spec))
