"""Storage of slices' results, each in a single transaction and only while its lease holds."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import sqlalchemy as sa

from service.store.among import among
from service.store.factor_snapshots import insert_snapshots
from service.store.inserts import upsert_columns
from service.store.leases import Lease, lock_runs
from service.store.point_writes import insert_points, metric_columns
from service.store.revisions import CURRENT, take_revision
from service.store.tables import checkpoints, runs, summaries
from workers.results import NO_POINT, NextPhase, Progress, SliceResult
from workers.runs.milestones import milestone_columns

_STEP = sa.select(checkpoints.c.step).where(checkpoints.c.run_id == runs.c.id).correlate(runs).scalar_subquery()
_OF_SLICE = tuple(field.name for field in fields(SliceResult) if field.name in runs.c)
"""Columns of a run that are those of its last slice; a field of a worker's report goes to the column of its name."""


def apply_slice(connection: sa.Connection, lease: Lease, result: SliceResult, now: datetime) -> int:
    """Store points, snapshots, checkpoints, summaries and outcomes of the runs that still carry the lease's token.

    Returns:
        The number of stored runs; a second application of the same result stores none.
    """
    held = _held(connection, lease)
    members = {member: run_id for member, run_id in enumerate(lease.run_ids) if run_id in held}
    if not members:
        return 0
    insert_points(connection, members, result.points)
    insert_snapshots(connection, members, result.kept)
    ids, progress = np.array(lease.run_ids), result.progress
    begun = np.array([member for member in members if progress.begun[member]], dtype=np.int64)
    _store_checkpoints(connection, ids[begun], progress, begun)
    for some in _of_equal_columns(progress, begun):
        _store_summaries(connection, ids[some], result, some)
    _store_next_phases(connection, lease.token, progress, members)
    take_revision(connection, runs.c.lease_token == lease.token)
    _end_lease(connection, lease.token, _endings(progress, members), result, now)
    return len(members)


def fail_slice(connection: sa.Connection, lease: Lease, error: str, most_attempts: int, now: datetime) -> int:
    """Queue a failed batch again in halves; a batch of one run fails the run after `most_attempts`.

    Returns:
        The number of runs given up.
    """
    held = _held(connection, lease)
    if not held:
        return 0
    members, freed = among(connection, runs.c.id, held), {"lease_token": None}
    if len(lease.run_ids) > 1:
        half = (len(lease.run_ids) + 1) // 2
        connection.execute(sa.update(runs).where(members).values({**freed, "batch_limit": half}))
        return 0
    connection.execute(sa.update(runs).where(members).values({**freed, "attempts": runs.c.attempts + 1}))
    take_revision(connection, members)
    given_up = {"status": "failed", "error": error.replace("\0", "?"), "finished_at": now, "revision": CURRENT}
    hopeless = sa.and_(members, runs.c.attempts >= most_attempts)
    return connection.execute(sa.update(runs).where(hopeless).values(given_up)).rowcount


def _held(connection: sa.Connection, lease: Lease) -> set[int]:
    """The runs that still carry the lease's token, locked until the transaction ends."""
    return set(lock_runs(connection, runs.c.lease_token == lease.token))


Members = npt.NDArray[np.int64]
"""Positions in a batch; the ids of their runs come with them in the same order."""


def _store_checkpoints(connection: sa.Connection, run_ids: Members, progress: Progress, members: Members) -> None:
    chosen = members.tolist()
    searches = map(progress.rank_search.get, chosen)
    phase_ends = map(progress.phase_ends.get, chosen)
    columns = {
        "run_id": run_ids.tolist(),
        "step": progress.step[members].tolist(),
        "state": [state.tobytes() for state in progress.states(chosen)],
        "milestones": [milestones.tobytes() for milestones in progress.milestones[members]],
        "rank_search": [None if search is None else search.tobytes() for search in searches],
        "phase_ends": [None if ends is None else orjson.dumps([*map(list, ends)]).decode() for ends in phase_ends],
    }
    upsert_columns(connection, checkpoints, columns)


def _of_equal_columns(progress: Progress, members: Members) -> list[Members]:
    """The runs in groups whose summaries have equal columns: those of runs that recorded a point have the metrics."""
    recorded = progress.last_point[members] != NO_POINT
    if not progress.more:
        return [members[recorded], members[~recorded]]
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for member, has_point in zip(members.tolist(), recorded.tolist(), strict=True):
        groups[has_point, frozenset(progress.more.get(member, ()))].append(member)
    return [np.array(group, dtype=np.int64) for group in groups.values()]


def _store_summaries(connection: sa.Connection, run_ids: Members, result: SliceResult, members: Members) -> None:
    """Write milestones of runs, and metrics if they recorded a point in this slice; see `_of_equal_columns`."""
    progress, chosen = result.progress, members.tolist()
    milestones = milestone_columns(progress.milestones[members])
    milestones["first_step_below"] = [orjson.dumps(steps).decode() for steps in milestones["first_step_below"]]
    last_points = progress.last_point[members]
    columns = {
        "run_id": run_ids.tolist(),
        "steps": progress.step[members].tolist(),
        **milestones,
        **{name: [column[member] for member in chosen] for name, column in progress.findings.items()},
        **{name: [progress.more[member][name] for member in chosen] for name in _more(progress, chosen)},
        **(metric_columns(result.points, last_points) if (last_points != NO_POINT).all() else {}),
    }
    upsert_columns(connection, summaries, columns)


def _more(progress: Progress, members: Sequence[int]) -> Mapping[str, Any]:
    """The further columns of runs that have them equal; no runs have none."""
    return progress.more.get(members[0], {}) if members else {}


def _store_next_phases(connection: sa.Connection, token: str, progress: Progress, members: dict[int, int]) -> None:
    """Give runs that enter another phase its key and size of batches, which the others keep."""
    ids: dict[NextPhase, list[int]] = defaultdict(list)
    for member, phase in progress.next_phase.items():
        if member in members:
            ids[phase].append(members[member])
    for phase, run_ids in ids.items():
        of_runs = sa.and_(runs.c.lease_token == token, among(connection, runs.c.id, run_ids))
        connection.execute(sa.update(runs).where(of_runs).values(phase._asdict()))


@dataclass(frozen=True)
class _Ending:
    """How runs leave a slice; `outcome` and `error` are None for runs that go on."""

    outcome: str | None
    error: str | None

    def values(self, now: datetime) -> dict[str, Any]:
        """New values of columns of the runs; an ending is a change of status, and has a revision."""
        if self.outcome is None and self.error is None:
            return {"status": "running", "outcome": None, "error": None, "finished_at": None}
        status = "succeeded" if self.error is None else "failed"
        return {
            "status": status,
            "outcome": self.outcome,
            "error": self.error,
            "finished_at": now,
            "revision": CURRENT,
        }


def _endings(progress: Progress, members: dict[int, int]) -> list[tuple[_Ending, list[int]]]:
    """The runs by their endings, the fewest first."""
    ids: dict[_Ending, list[int]] = defaultdict(list)
    for member, run_id in members.items():
        outcome = progress.outcome[member] if progress.begun[member] else None
        ids[_Ending(outcome, progress.error.get(member))].append(run_id)
    return sorted(ids.items(), key=lambda item: len(item[1]))


def _end_lease(
    connection: sa.Connection,
    token: str,
    endings: Sequence[tuple[_Ending, list[int]]],
    result: SliceResult,
    now: datetime,
) -> None:
    """Update the runs, whose checkpoints are stored; the last ending is that of all runs that still have the lease."""
    common = {
        "step": sa.func.coalesce(_STEP, 0),
        **{name: getattr(result, name) for name in _OF_SLICE},
        "compute_seconds": runs.c.compute_seconds + result.seconds,
        "lease_token": None,
        "batch_limit": 0,
        "attempts": 0,
    }
    for ending, run_ids in endings:
        of_runs = runs.c.lease_token == token
        if ending != endings[-1][0]:
            of_runs = sa.and_(of_runs, among(connection, runs.c.id, run_ids))
        connection.execute(sa.update(runs).where(of_runs).values({**common, **ending.values(now)}))
