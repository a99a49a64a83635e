"""Every loss on drawn models, problems and engines: a run is the same however it is cut and batched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.losses import fitted
from tests.helpers.slices import EXACT, assert_same, assert_same_progress, points_of, points_of_run, run_in_slices
from tests.helpers.specs import run_whole, spec
from tests.kinds.fitting import changed, with_all_metrics
from workers.records import Outcome
from workers.runs.engines import engine_misfit

pytestmark = pytest.mark.slow

LOSSES = (
    st.sampled_from([{"kind": kind} for kind in ("half_sse", "mse", "l1", "logistic", "exponential")])
    | st.builds(lambda delta: {"kind": "huber", "delta": delta}, st.sampled_from([1e-3, 0.25, 1.0, 10.0]))
    | st.builds(lambda p: {"kind": "lp", "p": p}, st.sampled_from([1.25, 2.0, 3.0, 4.0, 6.5]))
)
MODELS = (
    st.builds(lambda depth: {"kind": "deep_matrix", "depth": depth}, st.integers(1, 4))
    | st.builds(lambda rank: {"kind": "symmetric_matrix", "rank": rank}, st.integers(1, 4))
    | st.builds(lambda rank: {"kind": "cp_tensor", "rank": rank}, st.integers(1, 4))
)


@st.composite
def batches(draw, engines=("torch", "fused")):
    """One to four runs of a batch on one engine, with starts, observations and stops of their own."""
    model, loss, engine = draw(MODELS), draw(LOSSES), draw(st.sampled_from(engines))
    order = draw(st.integers(2, 4)) if model["kind"] == "cp_tensor" else 2
    shape = draw(st.lists(st.integers(1, 4), min_size=order, max_size=order))
    shape = shape[:1] * 2 if model["kind"] == "symmetric_matrix" else shape
    amount = {"kind": "low_rank_completion", "observed": draw(st.integers(1, int(np.prod(shape))))}
    if engine == "torch" and draw(st.booleans()):
        amount = {"kind": "low_rank_sensing", "measurements": draw(st.integers(1, 5))}
    base = {
        "model": model,
        "init": {"kind": "gaussian", "std": draw(st.sampled_from([0.1, 0.5, 1.0]))},
        "optimizer": {"kind": draw(st.sampled_from(["gradient_descent", "momentum"])), "learning_rate": 0.05},
        "precision": draw(st.sampled_from(["float64", "float32"])),
        "record": {"every": draw(st.sampled_from([1, 7]))},
    }
    runs = []
    for seed in range(draw(st.integers(1, 4))):
        problem = {"shape": shape, "rank": 1, "norm": 2.0, "seed": seed, **amount}
        stop = {"max_steps": draw(st.integers(1, 60)), "loss_below": draw(st.sampled_from([None, 0.1, 1e-3]))}
        runs.append(spec(**base, **fitted(loss, problem), stop=stop, seed=seed, engine="torch"))
    return [changed(run, engine=engine if fits(run, engine) else "torch") for run in runs]


def fits(run, engine):
    return engine_misfit(run.model_copy(update={"engine": engine})) is None


@settings(max_examples=30, deadline=None)
@given(batches(), st.lists(st.integers(1, 20), min_size=1, max_size=4))
def test_split_equals_unsplit(specs, cuts):
    whole = run_whole(*specs)
    sliced, points = run_in_slices(specs, cuts)
    for ours, theirs in zip(sliced.progress, whole.progress, strict=True):
        assert_same_progress(ours, theirs)
    assert_same(points, points_of(whole), **EXACT)


@settings(max_examples=30, deadline=None)
@given(batches(engines=("fused",)))
def test_alone_equals_batched_to_the_bit_in_the_fused_engine(specs):
    batched = run_whole(*specs)
    for number, run in enumerate(specs):
        if run.engine == "fused":
            alone = run_whole(run)
            assert_same_progress(alone.progress[0], batched.progress[number])
            assert_same(points_of(alone), points_of_run(batched, number), **EXACT)


@settings(max_examples=30, deadline=None)
@given(batches(engines=("fused",)))
def test_the_engines_agree(specs):
    """In double precision, over few steps: a slope that jumps tells roundings apart sooner or later."""
    if specs[0].engine != "fused" or specs[0].precision != "float64":
        return
    ours, theirs = run_whole(*specs), run_whole(*(changed(run, engine="torch") for run in specs))
    for mine, other in zip(ours.progress, theirs.progress, strict=True):
        if mine.checkpoint.step == other.checkpoint.step:
            np.testing.assert_allclose(mine.checkpoint.state, other.checkpoint.state, rtol=1e-9, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(batches())
def test_every_metric_is_a_number_at_the_end(specs):
    """Of runs that stayed finite; a hessian of |r|^p with p < 2 is infinite where a residual is 0."""
    run = with_all_metrics(changed(specs[0], record={"every": 7}))
    result = run_whole(run)
    if result.progress[0].outcome is Outcome.DIVERGED:
        return
    named = ["loss", "gradient_norm", "frobenius_norm"] + ["margin"] * run.loss.takes_labels
    assert np.isfinite([result.points.columns[name] for name in named]).all()
