"""The invariants of a flow: split = unsplit, alone = batched, same seed = same result, longer = extended."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.slices import EXACT, assert_same, points_of, run_in_slices
from tests.helpers.specs import flow, member, run_whole
from workers.records import Batch, Budget
from workers.runs.spec import RunSpec
from workers.slices import run_slice

pytestmark = pytest.mark.slow


@st.composite
def flows(draw: st.DrawFn, count: int = 1) -> list[RunSpec]:
    """Flows that share a batch key: unbalanced and balanced, with a determinant to carry or without, and of tensors."""
    shape = draw(st.sampled_from([[2, 2], [3, 3], [2, 3], [2, 2, 2]]))
    model = {"kind": "cp_tensor", "rank": 2} if len(shape) > 2 else {"kind": "deep_matrix", "depth": 3}
    return [
        flow(
            problem={
                "kind": "low_rank_completion",
                "shape": shape,
                "rank": 1,
                "observed": draw(st.integers(1, int(np.prod(shape)))),
                "seed": draw(st.integers(0, 99)),
            },
            model=model,
            init={"kind": "gaussian", "std": 0.4, "balanced": len(shape) == 2 and draw(st.booleans())},
            stop={
                "max_time": draw(st.sampled_from([0.0, 0.5, 10.0, 1234.5])),
                "loss_below": draw(st.sampled_from([None, 1e-3, 1e-9])),
            },
            seed=draw(st.integers(0, 2**31)),
        )
        for _ in range(count)
    ]


def assert_same_progress(one, other):
    assert one.outcome == other.outcome
    assert one.summary == other.summary
    np.testing.assert_array_equal(one.checkpoint.state, other.checkpoint.state)
    np.testing.assert_array_equal(one.checkpoint.milestones, other.checkpoint.milestones)


@settings(max_examples=10)
@given(flows(count=3), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_split_equals_unsplit_bit_for_bit(specs, cuts):
    whole = run_whole(*specs)
    sliced, points = run_in_slices(specs, cuts)
    for one, other in zip(whole.progress, sliced.progress, strict=True):
        assert_same_progress(one, other)
    assert_same(points, points_of(whole), **EXACT)


def test_split_equals_unsplit_through_the_stiff_part():
    spec = flow(model={"kind": "deep_matrix", "depth": 2}, stop={"max_time": 1e7})
    whole = run_whole(spec)
    sliced, points = run_in_slices([spec], [1])
    assert_same_progress(whole.progress[0], sliced.progress[0])
    assert_same(points, points_of(whole), **EXACT)


@settings(max_examples=10)
@given(flows(count=3))
def test_alone_equals_batched_bit_for_bit(specs):
    batched = run_whole(*specs)
    together = points_of(batched)
    for i, spec in enumerate(specs):
        alone = run_whole(spec)
        assert_same_progress(alone.progress[0], batched.progress[i])
        own = {key: point for key, point in together.items() if key[0] == i}
        assert_same({(i, step): point for (_, step), point in points_of(alone).items()}, own, **EXACT)


@settings(max_examples=15)
@given(flows(), st.sampled_from([0.0, 0.3, 7.0, 5000.0]))
def test_a_flow_that_goes_on_equals_one_that_asked_for_more(specs, more):
    """Also where it had ended within a stretch: its last point makes way for the scheduled one of the same number."""
    (short,) = specs
    stop = {"max_time": short.max_time + more, "loss_below": (short.stop.loss_below or 1e-9) / 10}
    long = RunSpec.model_validate(short.resolved() | {"stop": stop})
    first = run_whole(short)
    rest = run_slice(Batch((member(long, first.progress[0].checkpoint),)), Budget(600))
    whole = run_whole(long)
    assert_same_progress(rest.progress[0], whole.progress[0])
    assert_same(points_of(first) | points_of(rest), points_of(whole), **EXACT)


def test_a_slice_moves_on_however_short_it_is_and_in_turn():
    specs = [flow(seed=seed) for seed in range(2)]
    first = run_slice(Batch(tuple(member(spec) for spec in specs)), Budget(0.0))
    assert first.progress[0].checkpoint.step > 0
    assert first.progress[1].checkpoint is None  # not begun, and to be begun by the next
    assert first.progress[1].outcome is None
    members = tuple(member(spec, one.checkpoint) for spec, one in zip(specs, first.progress, strict=True))
    second = run_slice(Batch(members), Budget(0.0))
    assert second.progress[1].checkpoint.step > 0
    assert points_of(second)[(1, 0)]["time"] == 0


@pytest.mark.parametrize("max_time", [0.0, 1e-3, 1.0, 12.3])
def test_a_flow_ends_at_its_time(max_time):
    result = run_whole(flow(stop={"max_time": max_time}))
    times, numbers = result.points.columns["time"], result.points.columns["step"]
    assert times[-1] == max_time
    assert numbers.tolist() == list(range(len(numbers)))
    assert (np.diff(times) > 0).all()
