"""The invariants of a run: split = unsplit, alone = batched, same seed = same result, longer = extended."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.slices import EXACT, assert_same, points_of, run_in_slices
from tests.helpers.specs import member, run_whole
from workers.records import Batch, Budget, Outcome
from workers.runs.spec import RunSpec
from workers.slices import run_slice


@st.composite
def run_specs(draw: st.DrawFn, count: int = 1) -> list[RunSpec]:
    """Runs that share a batch key: one shape, depth, optimiser and precision, everything else their own."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    depth, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    optimizer = draw(st.sampled_from(["gradient_descent", "momentum"]))
    precision = draw(st.sampled_from(["float64", "float32"]))
    return [
        RunSpec.model_validate(
            {
                "problem": {
                    "kind": "low_rank_completion",
                    "shape": list(shape),
                    "rank": 1,
                    "observed": draw(st.integers(1, shape[0] * shape[1])),
                    "seed": draw(st.integers(0, 99)),
                },
                "model": {"kind": "deep_matrix", "depth": depth, "hidden_width": width},
                "init": {"kind": "gaussian", "std": 0.4, "balanced": draw(st.booleans())},
                "optimizer": {"kind": optimizer, "learning_rate": draw(st.sampled_from([1e-3, 0.05, 0.3, 8.0]))},
                "stop": {"max_steps": draw(st.integers(0, 250)), "loss_below": draw(st.sampled_from([None, 1e-3]))},
                "record": draw(st.sampled_from([{"points_per_decade": 20}, {"every": 7}])),
                "precision": precision,
                "seed": draw(st.integers(0, 2**31)),
                "engine": "torch",
            }
        )
        for _ in range(count)
    ]


@given(run_specs(count=3), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_split_equals_unsplit_bit_for_bit(specs, cuts):
    whole = run_whole(*specs)
    sliced, points = run_in_slices(specs, [*cuts, 50])
    for one, other in zip(whole.progress, sliced.progress, strict=True):
        assert one.outcome == other.outcome
        assert one.summary == other.summary
        np.testing.assert_array_equal(one.checkpoint.state, other.checkpoint.state)
        np.testing.assert_array_equal(one.checkpoint.milestones, other.checkpoint.milestones)
    assert_same(points, points_of(whole), **EXACT)


@given(run_specs(count=4))
def test_alone_equals_batched(specs):
    """Small products take the same path in every batch, so here rounding is the same too."""
    batched = run_whole(*specs)
    together = points_of(batched)
    for i, spec in enumerate(specs):
        alone = run_whole(spec)
        assert alone.progress[0].outcome == batched.progress[i].outcome
        np.testing.assert_array_equal(alone.progress[0].checkpoint.state, batched.progress[i].checkpoint.state)
        own = {key: point for key, point in together.items() if key[0] == i}
        assert_same({(i, step): point for (_, step), point in points_of(alone).items()}, own, **EXACT)


@settings(max_examples=8)
@given(st.integers(6, 30), st.integers(1, 3), st.integers(0, 100))
def test_alone_equals_batched_where_products_are_large(size, depth, seed):
    specs = [
        RunSpec.model_validate(
            {
                "problem": {"kind": "low_rank_completion", "shape": [size, size + 3], "rank": 2, "observed": 3 * size},
                "model": {"kind": "deep_matrix", "depth": depth},
                "init": {"kind": "gaussian", "std": 0.1},
                "optimizer": {"kind": "gradient_descent", "learning_rate": 0.05},
                "stop": {"max_steps": 100},
                "engine": "torch",
                "seed": seed + i,
            }
        )
        for i in range(5)
    ]
    batched = run_whole(*specs)
    for spec, progress in zip(specs, batched.progress, strict=True):
        alone = run_whole(spec).progress[0]
        np.testing.assert_array_equal(alone.checkpoint.state, progress.checkpoint.state)


@given(run_specs(count=2))
def test_same_spec_and_seed_same_result(specs):
    first, again = run_whole(*specs), run_whole(*(RunSpec.model_validate(spec.resolved()) for spec in specs))
    for one, other in zip(first.progress, again.progress, strict=True):
        np.testing.assert_array_equal(one.checkpoint.state, other.checkpoint.state)
    assert_same(points_of(first), points_of(again), **EXACT)


@given(run_specs(), st.integers(0, 400))
def test_a_run_that_goes_on_equals_one_that_asked_for_more(specs, more):
    (short,) = specs
    long = RunSpec.model_validate(short.resolved() | {"stop": {"max_steps": short.stop.max_steps + more}})
    short = RunSpec.model_validate(short.resolved() | {"stop": {"max_steps": short.stop.max_steps}})
    first = run_whole(short)
    if first.progress[0].outcome == Outcome.DIVERGED:
        return
    rest = run_slice(Batch((member(long, first.progress[0].checkpoint),)), Budget(600))
    whole = run_whole(long)
    np.testing.assert_array_equal(whole.progress[0].checkpoint.state, rest.progress[0].checkpoint.state)
    assert whole.progress[0].outcome == rest.progress[0].outcome
    last_of_first = (0, short.stop.max_steps)
    pieces = points_of(first) | points_of(rest)
    if last_of_first not in points_of(whole):
        del pieces[last_of_first]  # the short run's last step is recorded only because it was the last
    assert_same(pieces, points_of(whole), **EXACT)


@pytest.mark.parametrize("engine", ["torch", "fused"])
def test_a_slice_moves_on_however_short_it_is(engine):
    spec = RunSpec.model_validate(
        {
            "problem": {"kind": "perturbed_2x2"},
            "model": {"kind": "deep_matrix", "depth": 20},
            "init": {"kind": "identity", "scale": 0.9},
            "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-3},
            "stop": {"max_steps": 10},
            "engine": engine,
        }
    )
    first = run_slice(Batch((member(spec),)), Budget(0.0)).progress[0]
    assert first.checkpoint.step > 0 or first.last_point == 0  # on a busy machine, step 0 alone is recorded
    second = run_slice(Batch((member(spec, first.checkpoint),)), Budget(0.0)).progress[0]
    assert second.checkpoint.step > first.checkpoint.step


@settings(max_examples=10)
@given(
    st.sampled_from(["low_rank_completion", "low_rank_sensing"]),
    st.tuples(st.integers(6, 24), st.integers(6, 24)),
    st.lists(st.integers(20, 120), min_size=2, max_size=4),
    st.lists(st.integers(5, 60), min_size=1, max_size=3),
)
def test_split_equals_unsplit_for_larger_products_whose_runs_end_one_by_one(kind, shape, ends, cuts):
    """The last run of a batch is alone in it, and must not notice."""
    amount = {"observed": 20} if kind == "low_rank_completion" else {"measurements": 9}
    specs = [
        RunSpec.model_validate(
            {
                "problem": {"kind": kind, "shape": list(shape), "rank": 1, **amount},
                "model": {"kind": "deep_matrix", "depth": 2},
                "init": {"kind": "gaussian", "std": 0.2},
                "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
                "stop": {"max_steps": end},
                "record": {"every": 9},
                "engine": "torch",
                "seed": i,
            }
        )
        for i, end in enumerate(ends)
    ]
    whole = run_whole(*specs)
    sliced, points = run_in_slices(specs, [*cuts, 50])
    for one, other in zip(whole.progress, sliced.progress, strict=True):
        np.testing.assert_array_equal(one.checkpoint.state, other.checkpoint.state)
    theirs = points_of(whole)
    assert points.keys() == theirs.keys()
    for key, point in points.items():
        assert point["loss"] == theirs[key]["loss"]
