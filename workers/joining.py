"""The result of a batch, from the results of its parts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.results import KeptFactors, Points, Progress, RunProgress, SliceResult


def joined(slices: Sequence[SliceResult]) -> SliceResult:
    """The result of a batch, from the results of its parts in order."""
    points_before = np.cumsum([0, *[len(part.points.member) for part in slices]]).tolist()
    progress = [
        _moved(run, before) for part, before in zip(slices, points_before, strict=False) for run in part.progress
    ]
    seconds = sum(part.seconds for part in slices)
    engine, device = slices[0].engine, slices[0].device
    runs_before = np.cumsum([0, *[len(part.progress) for part in slices]]).tolist()
    points, kept = _joined_points(slices, runs_before), _joined_kept(slices, runs_before)
    return SliceResult(Progress.of(progress), points, seconds, engine, device, kept)


def _joined_kept(slices: Sequence[SliceResult], runs_before: Sequence[int]) -> KeptFactors | None:
    parts = [
        (part.kept.member + before, part.kept.step, part.kept.factors)
        for part, before in zip(slices, runs_before, strict=False)
        if part.kept is not None
    ]
    return KeptFactors(*map(np.concatenate, zip(*parts, strict=True))) if parts else None


def _joined_points(slices: Sequence[SliceResult], runs_before: Sequence[int]) -> Points:
    """The points of all parts, with members counted through the joined batch."""
    members = [part.points.member + before for part, before in zip(slices, runs_before, strict=False)]
    # A part without points has no columns, and none has columns that apply to none of its runs.
    parts = [part.points for part in slices if len(part.points.member)]
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Points(np.concatenate(members), {name: _joined_column(name, parts) for name in names})


def _joined_column(name: str, parts: Sequence[Points]) -> npt.NDArray[Any]:
    """A column of all parts, NaN for a part none of whose runs has it."""
    width = next(part.columns[name].shape[1:] for part in parts if name in part.columns)
    return np.concatenate([part.columns.get(name, np.full((len(part.member), *width), np.nan)) for part in parts])


def _moved(run: RunProgress, points_before: int) -> RunProgress:
    """The progress of a run whose part comes after `points_before` points of other parts."""
    return run if run.last_point is None else replace(run, last_point=run.last_point + points_before)
