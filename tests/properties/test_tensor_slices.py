"""The invariants of a run, for CP factorisations and for every optimiser: split, batched, extended, and order 2."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.slices import EXACT, assert_same, points_of, run_in_slices
from tests.helpers.specs import member, run_whole
from workers.records import Batch, Budget, Outcome
from workers.runs.spec import RunSpec
from workers.slices import run_slice

pytestmark = pytest.mark.slow

LIMITS = ({}, {"loss_below": 1e-3}, {"loss_below": 0.1, "check_every": 10, "checks_in_a_row": 3})
OPTIMIZERS = ("gradient_descent", "momentum", "adam", "group_rmsprop")


def changed(run: RunSpec, **parts) -> RunSpec:
    return RunSpec.model_validate(run.resolved() | parts)


@st.composite
def run_specs(draw: st.DrawFn, count: int = 1) -> list[RunSpec]:
    """Runs that share a batch key: one shape, model, optimiser and precision, everything else their own."""
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    is_tensor = len(shape) > 2 or draw(st.booleans())
    model = {"kind": "cp_tensor", "rank": draw(st.integers(1, 5))} if is_tensor else {"kind": "deep_matrix", "depth": 3}
    optimizer, precision = draw(st.sampled_from(OPTIMIZERS)), draw(st.sampled_from(["float64", "float32"]))
    return [
        RunSpec.model_validate(
            {
                "problem": {
                    "kind": "low_rank_completion",
                    "shape": shape,
                    "rank": 1,
                    "observed": draw(st.integers(1, int(np.prod(shape)))),
                    "noise": draw(st.sampled_from([0.0, 0.1])),
                    "seed": draw(st.integers(0, 99)),
                },
                "model": model,
                "init": {"kind": "gaussian", "std": 0.4},
                "optimizer": {"kind": optimizer, "learning_rate": draw(st.sampled_from([1e-3, 0.05, 0.3]))},
                "stop": {"max_steps": draw(st.integers(0, 200)), **draw(st.sampled_from(LIMITS))},
                "record": {"every": 7, "metrics": ["matricisation_ranks"] if is_tensor else []},
                "precision": precision,
                "seed": draw(st.integers(0, 2**31)),
                "engine": "torch",
            }
        )
        for _ in range(count)
    ]


@settings(max_examples=15)
@given(run_specs(count=3), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_split_equals_unsplit_bit_for_bit(specs, cuts):
    whole = run_whole(*specs)
    sliced, points = run_in_slices(specs, [*cuts, 50])
    for one, other in zip(whole.progress, sliced.progress, strict=True):
        assert one.outcome == other.outcome
        assert one.summary == other.summary
        np.testing.assert_array_equal(one.checkpoint.state, other.checkpoint.state)
    assert_same(points, points_of(whole), **EXACT)


@settings(max_examples=12)
@given(run_specs(count=3))
def test_alone_equals_batched(specs):
    """To rounding; a run that turns on rounding (at the edge of stability) has not got far in so few steps."""
    batched = run_whole(*specs)
    for spec, progress in zip(specs, batched.progress, strict=True):
        alone = run_whole(spec).progress[0]
        tolerance = 1e-3 if spec.precision == "float32" else 1e-8
        assert (
            abs(alone.checkpoint.step - progress.checkpoint.step) <= 1
        )  # a loss may round to the other side of its limit
        if alone.checkpoint.step == progress.checkpoint.step:
            np.testing.assert_allclose(
                alone.checkpoint.state, progress.checkpoint.state, rtol=tolerance, atol=tolerance
            )


@settings(max_examples=15)
@given(run_specs(), st.integers(0, 300))
def test_a_run_that_goes_on_equals_one_that_asked_for_more(specs, more):
    (short,) = specs
    short = changed(short, stop={"max_steps": short.stop.max_steps})
    long = changed(short, stop={"max_steps": short.stop.max_steps + more})
    first = run_whole(short).progress[0]
    if first.outcome == Outcome.DIVERGED:
        return
    rest, whole = run_slice(Batch((member(long, first.checkpoint),)), Budget(600)), run_whole(long)
    np.testing.assert_array_equal(whole.progress[0].checkpoint.state, rest.progress[0].checkpoint.state)
    assert whole.progress[0].outcome == rest.progress[0].outcome


@settings(max_examples=15)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 5),
    st.sampled_from(OPTIMIZERS),
    st.sampled_from(["half_sse", "mse"]),
    st.integers(0, 99),
)
def test_order_two_equals_a_deep_matrix_of_depth_two(shape, rank, optimizer, loss, seed):
    rng = np.random.default_rng(seed)
    left, right = 0.5 * rng.standard_normal((shape[0], rank)), 0.5 * rng.standard_normal((shape[1], rank))
    base = RunSpec.model_validate(
        {
            "problem": {"kind": "low_rank_completion", "shape": shape, "rank": 1, "observed": 1, "seed": seed},
            "model": {"kind": "cp_tensor", "rank": rank},
            "init": {"kind": "explicit", "factors": [left.tolist(), right.tolist()]},
            "optimizer": {"kind": optimizer, "learning_rate": 0.02},
            "stop": {"max_steps": 120},
            "loss": loss,
        }
    )
    deep = changed(
        base,
        model={"kind": "deep_matrix", "depth": 2, "hidden_width": rank},
        init={"kind": "explicit", "factors": [left.tolist(), right.T.tolist()]},
        engine="torch",
    )
    ours, theirs = run_whole(base), run_whole(deep)
    assert ours.progress[0].summary == theirs.progress[0].summary
    for name, column in theirs.points.columns.items():
        if name not in ("determinant_sign", "log_abs_determinant", "determinant"):  # of rounding where they vanish
            np.testing.assert_allclose(ours.points.columns[name], column, rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_rank_search_outlives_its_slices():
    """A slice without time for more does one trial; the run stays unfinished until all ranks are found."""
    run = RunSpec.model_validate(
        {
            "problem": {"kind": "low_rank_completion", "shape": [4, 4, 4], "rank": 2, "observed": 30},
            "model": {"kind": "cp_tensor"},
            "init": {"kind": "gaussian", "std": 0.1},
            "optimizer": {"kind": "group_rmsprop", "learning_rate": 0.01},
            "stop": {"max_steps": 300, "loss_below": 1e-6},
        }
    )
    whole = run_whole(run).progress[0]
    progress, slices = run_slice(Batch((member(run),)), Budget(600, 1000)).progress[0], 0
    checkpoint = run_slice(Batch((member(run),)), Budget(600, 10)).progress[0].checkpoint
    while checkpoint is not None:
        progress = run_slice(Batch((member(run, checkpoint),)), Budget(0.05)).progress[0]
        checkpoint, slices = (None if progress.outcome else progress.checkpoint), slices + 1
    assert slices > 1
    assert progress.outcome == whole.outcome
    assert progress.summary == whole.summary
    assert progress.summary["target_rank"] == 2
    assert progress.checkpoint.rank_search is None
    np.testing.assert_array_equal(progress.checkpoint.state, whole.checkpoint.state)
