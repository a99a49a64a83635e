"""Runs in slices, and their points beside those of other runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.helpers.specs import member
from workers.records import Batch, Budget, Member
from workers.results import Points, Progress, RunProgress, SliceResult
from workers.runs.engines import batch_key
from workers.runs.phases import present_spec
from workers.runs.spec import RunSpec
from workers.slices import run_slice

PointsByStep = dict[tuple[int, int], dict[str, Any]]
"""Points by the position of their run in the batch and by their step: the columns by name."""

EXACT = {"rtol": 0.0, "atol": 0.0}


def run_in_slices(specs: Sequence[RunSpec], cuts: Sequence[int]) -> tuple[SliceResult, PointsByStep]:
    """Run to the end in slices of the given numbers of steps (the last one repeated); the end and all points."""
    members, active = [member(spec) for spec in specs], list(range(len(specs)))
    points: PointsByStep = {}
    final: dict[int, RunProgress] = {}
    last_points = Points(np.zeros(0, dtype=np.int64), {})
    for i in range(10_000):
        for together in by_key(specs, members, active):
            result = run_slice(Batch(tuple(members[run] for run in together)), Budget(600, cuts[min(i, len(cuts) - 1)]))
            points |= {(together[m], step): point for (m, step), point in points_of(result).items()}
            last_points = result.points
            for run, progress in zip(together, result.progress, strict=True):
                final[run] = progress
                members[run] = member(specs[run], progress.checkpoint)
        active = [run for run in active if final[run].outcome is None]
        if not active:
            return SliceResult(Progress.of([final[i] for i in range(len(specs))]), last_points, 0, "", ""), points
    raise AssertionError("the runs did not end")


def by_key(specs: Sequence[RunSpec], members: Sequence[Member], active: Sequence[int]) -> list[list[int]]:
    """Runs that are not over, those together that share a batch: they do by the key of the phase in which each is."""
    together: dict[str, list[int]] = {}
    for run in active:
        checkpoint = members[run].checkpoint
        ends = () if checkpoint is None else checkpoint.phase_ends
        # Runs of which a test says nothing by a key are together, whatever their keys: their phases are not.
        key = "" if specs[run].phases is None else str(batch_key(present_spec(specs[run], ends)))
        together.setdefault(key, []).append(run)
    return list(together.values())


def points_of(result: SliceResult) -> PointsByStep:
    """The points of one slice."""
    columns = result.points.columns
    return {
        (int(m), int(columns["step"][i])): {name: column[i] for name, column in columns.items()}
        for i, m in enumerate(result.points.member)
    }


def points_of_run(result: SliceResult, run: int, number: int = 0) -> PointsByStep:
    """The points of one run of a batch, as if it had another number."""
    return {(number, step): point for (m, step), point in points_of(result).items() if m == run}


def assert_same(
    ours: Mapping[tuple[int, int], Mapping[str, Any]],
    theirs: Mapping[tuple[int, int], Mapping[str, Any]],
    rtol: float,
    atol: float,
) -> None:
    """The same points with the same numbers, to a tolerance.

    NaN equals NaN, and is the same as no column: a batch has the columns of all its runs.
    """
    assert ours.keys() == theirs.keys()
    for key, point in ours.items():
        for name, value in point.items():
            other = theirs[key].get(name, np.nan)
            if np.asarray(value).tobytes() != np.asarray(other).tobytes():  # comparing numbers takes a while
                np.testing.assert_allclose(value, other, rtol=rtol, atol=atol, err_msg=f"{name} at {key}")


def assert_same_progress(ours: RunProgress, theirs: RunProgress) -> None:
    """Two runs stand at the same step, in the same state to the bit, and are summed up alike."""
    assert (ours.outcome, ours.error, ours.summary) == (theirs.outcome, theirs.error, theirs.summary)
    assert ours.checkpoint is not None
    assert theirs.checkpoint is not None
    assert ours.checkpoint.step == theirs.checkpoint.step
    np.testing.assert_array_equal(ours.checkpoint.state, theirs.checkpoint.state)
    np.testing.assert_array_equal(ours.checkpoint.milestones, theirs.checkpoint.milestones)
