"""Mini-batches and noise on the engines: the same steps on both, the same bits in a batch, and a price."""

import numpy as np
import pytest

from tests.helpers.cases import in_turn
from tests.helpers.slices import assert_same_progress
from tests.helpers.specs import run_whole, spec
from tests.rates.disturbed import DISTURBANCES, LABELS, descent
from workers.runs.costs import multiply_adds_per_step
from workers.runs.engines import batch_key, engine_of


def test_seeds_and_sizes_share_a_batch_and_kinds_do_not():
    keys = [
        [batch_key(descent(seed=seed, batch={"size": size, "replacement": again}))]
        for seed, size, again in ((0, 1, False), (1, 3, True))
    ]
    assert keys[0] == keys[1]
    kinds = [descent(**fields) for fields in ({}, *DISTURBANCES.values())]
    assert len({str(batch_key(run)) for run in kinds}) == len(kinds) - 1  # both ways to draw a batch are the same


def test_runs_with_sizes_of_their_own_have_their_bits_in_a_batch():
    runs = [descent(seed=seed, batch={"size": size}, noise=LABELS) for seed, size in ((0, 1), (1, 3), (1, 6))]
    together = run_whole(*runs)
    for run, progress in zip(runs, together.progress, strict=True):
        assert_same_progress(run_whole(run).progress[0], progress)


@pytest.fixture
def losses(request):
    return in_turn(request, ("half_sse", {"kind": "huber", "delta": 0.2}))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [[2, 2], [3, 4], [9, 11]], ids=str)
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_both_engines_take_the_same_steps(disturbance, shape, losses):
    """By lanes and by columns, alone and beside others, of which some are over."""
    problem = {"kind": "low_rank_completion", "shape": shape, "rank": 1, "observed": 4}
    for loss in losses:
        runs = [descent(loss=loss, seed=seed, **DISTURBANCES[disturbance]) for seed in range(9)]
        assert_same_steps(with_lengths(runs, problem=problem))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["difference", "product", "difference_of_products"])
@pytest.mark.parametrize("problem", ["vector", "vector's entries"])
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_both_engines_take_the_same_steps_of_diagonal_networks(disturbance, problem, form, losses):
    model = {"kind": "diagonal", "depth": 2, "form": form}
    for loss in losses:
        runs = [descent(problem, loss, seed=seed, **DISTURBANCES[disturbance]) for seed in range(9)]
        assert_same_steps(with_lengths(runs, model=model))


def with_lengths(runs, **parts):
    """The runs with other parts, each longer than the run before it."""
    return [spec(**run.resolved() | parts | {"stop": {"max_steps": 40 + 7 * run.seed}}) for run in runs]


def assert_same_steps(runs):
    """Of the fused engine, where runs have the same bits alone and in a batch, and of torch."""
    fused, torch_s = (
        [spec(**run.resolved() | {"engine": engine, "record": {"every": 0}}) for run in runs]
        for engine in ("fused", "torch")
    )
    together, reference = run_whole(*fused), run_whole(*torch_s)
    for run, progress, theirs in zip(fused, together.progress, reference.progress, strict=True):
        assert_same_progress(run_whole(run).progress[0], progress)
        np.testing.assert_allclose(progress.checkpoint.state, theirs.checkpoint.state, rtol=1e-9, atol=1e-12)


def test_auto_takes_the_fused_engine_where_draws_are_few():
    assert engine_of(descent(noise=LABELS)) == "fused"
    large = {"kind": "low_rank_completion", "shape": [190, 190], "rank": 1, "observed": 300}
    assert engine_of(spec(**descent(noise=LABELS).resolved() | {"problem": large})) == "torch"
    assert engine_of(spec(**descent().resolved() | {"problem": large})) == "fused"


def test_draws_have_a_price():
    plain = multiply_adds_per_step(descent("regression"))
    for disturbance in DISTURBANCES.values():
        assert multiply_adds_per_step(descent("regression", **disturbance)) > plain
