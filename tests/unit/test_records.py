"""Records travel as a few arrays, and are rows again where somebody asks for a run."""

import pickle

import numpy as np
import pytest

from tests.helpers.slices import assert_same_progress
from tests.helpers.specs import member, spec
from workers.joining import joined
from workers.records import Batch, Budget, Checkpoint, Member, Progress, RunProgress
from workers.runs.milestones import no_milestones
from workers.slices import run_slice


def checkpoint(step, size, search=None):
    state = np.random.default_rng(step).normal(size=size)
    milestones = no_milestones(1)[0]
    milestones[: step % 5] = np.arange(step % 5)
    return Checkpoint(step, state, milestones, search)


ROWS = [
    RunProgress(checkpoint(3, 4), None, None, {"time": 0.5, "target_rank": None}, 0),
    RunProgress(error="It has no start."),
    RunProgress(checkpoint(9, 4, np.arange(5)), "converged", None, {"time": 1.5, "target_rank": 2}, None),
    RunProgress(checkpoint(0, 4), None, "It left the road.", {"time": 0.0, "target_rank": None}, 7),
]


def test_rows_of_progress_are_columns_and_rows_again():
    again = Progress.of(list(Progress.of(ROWS)))
    assert len(again) == len(ROWS)
    for before, after in zip(ROWS, again, strict=True):
        assert (after.outcome, after.error, after.last_point) == (before.outcome, before.error, before.last_point)
        assert (after.checkpoint is None) == (before.checkpoint is None)
        assert {name: after.summary[name] for name in before.summary} == before.summary
        if before.checkpoint is not None:
            assert after.checkpoint.state.tobytes() == before.checkpoint.state.tobytes()
            assert after.checkpoint.milestones.tolist() == before.checkpoint.milestones.tolist()
            assert after.summary["steps"] == before.checkpoint.step
    assert again[2].checkpoint.rank_search.tolist() == [0, 1, 2, 3, 4]
    assert again[-1].error == "It left the road."
    with pytest.raises(IndexError):
        again[4]


@pytest.mark.parametrize("begun", [[], [1], [0, 1, 2]])
def test_a_batch_comes_as_it_was_sent(begun):
    """Checkpoints may have been stored when they were shorter."""
    kept = {run: checkpoint(run + 1, 3 + run, np.arange(run) if run == 2 else None) for run in begun}
    members = tuple(Member(f"spec {run}", kept.get(run), {"/a": "b"} if run == 1 else {}) for run in range(3))
    received = pickle.loads(pickle.dumps(Batch(members, {"b": "part"})))
    assert received.parts == {"b": "part"}
    for sent, came in zip(members, received.members, strict=True):
        assert (came.spec, came.places, came.checkpoint is None) == (sent.spec, sent.places, sent.checkpoint is None)
        if sent.checkpoint is not None:
            assert came.checkpoint.step == sent.checkpoint.step
            assert came.checkpoint.state.tobytes() == sent.checkpoint.state.tobytes()
            assert came.checkpoint.milestones.tolist() == sent.checkpoint.milestones.tolist()
            searches = [one.checkpoint.rank_search for one in (sent, came)]
            np.testing.assert_equal(*searches)


def test_a_message_has_few_buffers_however_many_runs():
    specs = [spec(seed=seed) for seed in range(20)]
    result = run_slice(Batch(tuple(map(member, specs))), Budget(600, 20))
    following = Batch(tuple(member(one, run.checkpoint) for one, run in zip(specs, result.progress, strict=True)))
    for message in (result, following):
        buffers = []
        pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
        assert len(buffers) < 40


def test_parts_of_a_batch_are_joined_as_if_they_had_been_computed_together():
    specs = [spec(seed=seed) for seed in range(3)]
    whole = run_slice(Batch(tuple(map(member, specs))), Budget(600, 20))
    parts = joined([run_slice(Batch(tuple(map(member, some))), Budget(600, 20)) for some in (specs[:1], specs[1:])])
    for ours, theirs in zip(parts.progress, whole.progress, strict=True):
        assert_same_progress(ours, theirs)
        assert ours.last_point == theirs.last_point
