"""Records travel as a few arrays, and are rows again where somebody asks for a run."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.slices import assert_same_progress
from tests.helpers.specs import member, spec
from workers.joining import joined
from workers.records import Batch, Budget, Checkpoint, Member, PhaseEnd
from workers.results import Progress, RunProgress
from workers.runs.milestones import milestone_summary, no_milestones
from workers.slices import run_slice


def checkpoint(step, size, search=None, ends=()):
    state = np.random.default_rng(step).normal(size=size)
    milestones = no_milestones(1)[0]
    milestones[: step % 5] = np.arange(step % 5)
    return Checkpoint(step, state, milestones, search, ends)


ENDS = (PhaseEnd(3, 0.25), PhaseEnd(5, 0.75))


ROWS = [
    RunProgress(checkpoint(3, 4), None, None, {"time": 0.5, "target_rank": None}, 0),
    RunProgress(error="It has no start."),
    RunProgress(checkpoint(9, 4, np.arange(5)), "converged", None, {"time": 1.5, "target_rank": 2}, None),
    RunProgress(checkpoint(0, 4), None, "It left the road.", {"time": 0.0, "target_rank": None}, 7),
    RunProgress(checkpoint(5, 8, None, ENDS), None, None, {"time": 0.75, "target_rank": None, "loss": None}, 8, "b", 3),
    RunProgress(checkpoint(6, 6, None, ENDS[:1]), None, None, {"time": 1.0, "target_rank": None}, 9),
]


def test_rows_of_progress_are_columns_and_rows_again():
    again = Progress.of(list(Progress.of(ROWS)))
    assert len(again) == len(ROWS)
    for before, after in zip(ROWS, again, strict=True):
        assert (after.outcome, after.error, after.last_point) == (before.outcome, before.error, before.last_point)
        assert (after.checkpoint is None) == (before.checkpoint is None)
        assert (after.batch_key, after.numbers) == (before.batch_key, before.numbers)
        if before.checkpoint is not None:
            of_checkpoint = {"steps": before.checkpoint.step, **milestone_summary(before.checkpoint.milestones)}
            assert after.summary == of_checkpoint | before.summary
            assert after.checkpoint.phase_ends == before.checkpoint.phase_ends
            assert after.checkpoint.state.tobytes() == before.checkpoint.state.tobytes()
            assert after.checkpoint.milestones.tolist() == before.checkpoint.milestones.tolist()
    assert again[2].checkpoint.rank_search.tolist() == [0, 1, 2, 3, 4]
    assert again[-3].error == "It left the road."
    with pytest.raises(IndexError):
        again[len(ROWS)]


def test_runs_cross_borders_and_the_others_stay_as_they_are():
    before = Progress.of(ROWS)
    row = replace(before[0], checkpoint=checkpoint(3, 9, None, ENDS[:1]), batch_key="next", numbers=9)
    after = before.over_borders({0: row})
    assert after[0].checkpoint.state.tobytes() == row.checkpoint.state.tobytes()
    assert (after[0].checkpoint.phase_ends, after[0].batch_key, after[0].numbers) == (ENDS[:1], "next", 9)
    assert (after[0].summary, after[0].last_point) == (before[0].summary, before[0].last_point)
    for run in range(1, len(ROWS)):
        ours, theirs = after[run], before[run]
        assert (ours.batch_key, ours.outcome, ours.error) == (theirs.batch_key, theirs.outcome, theirs.error)
        if theirs.checkpoint is not None:
            assert ours.checkpoint.state.tobytes() == theirs.checkpoint.state.tobytes()
            assert ours.checkpoint.phase_ends == theirs.checkpoint.phase_ends


@pytest.mark.parametrize("begun", [[], [1], [0, 1, 2]])
def test_a_batch_comes_as_it_was_sent(begun):
    """Checkpoints may have been stored when they were shorter."""
    kept = {run: checkpoint(run + 1, 3 + run, np.arange(run) if run == 2 else None, ENDS[:run]) for run in begun}
    members = tuple(Member(f"spec {run}", kept.get(run), {"/a": "b"} if run == 1 else {}) for run in range(3))
    received = pickle.loads(pickle.dumps(Batch(members, {"b": "part"})))
    assert received.parts == {"b": "part"}
    for sent, came in zip(members, received.members, strict=True):
        assert (came.spec, came.places, came.checkpoint is None) == (sent.spec, sent.places, sent.checkpoint is None)
        if sent.checkpoint is not None:
            assert came.checkpoint.step == sent.checkpoint.step
            assert came.checkpoint.phase_ends == sent.checkpoint.phase_ends
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
