"""Experiments: submit, look at, cancel, delete."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from service.errors import FieldError, IdempotencyConflict, InvalidPayload, NotFound
from service.ids import new_id
from service.schemas import (
    Cost,
    DryRun,
    Experiment,
    ExperimentChanges,
    ExperimentDetail,
    ExperimentRequest,
    Page,
    RunCounts,
)
from service.settings import Limits
from service.store import experiments as store
from service.store.database import Database
from service.store.tables import RUN_STATUSES
from service.use_cases.keys import Holder
from service.use_cases.listing import ListQuery, select_experiments
from service.use_cases.payloads import parse_runs
from service.use_cases.quotas import check_quotas
from service.use_cases.run_rows import run_row
from workers.costs import most_multiply_adds, most_points, most_steps

MOST_KEY_CHARACTERS = 255

MOST_RUNS_OF_SMALL_WRITE = 100
"""Stored in some 5 ms; larger experiments have transactions of their own, between which others write."""


@dataclass(frozen=True)
class Submission:
    """A stored experiment, and whether this request is the one that stored it."""

    experiment: Experiment
    is_new: bool


def dry_run(request: ExperimentRequest, limits: Limits) -> DryRun:
    """What an experiment would cost; raises what `submit` would raise."""
    specs = parse_runs(request, limits)
    return DryRun(
        runs=len(specs),
        cost=Cost(
            max_steps=sum(most_steps(spec) for spec in specs),
            max_time=sum(spec.max_time for spec in specs if spec.is_flow),
            max_points=sum(most_points(spec) for spec in specs),
            max_multiply_adds=sum(most_multiply_adds(spec) for spec in specs),
        ),
    )


def submit(
    database: Database, request: ExperimentRequest, limits: Limits, key: str | None, holder: Holder | None = None
) -> Submission:
    """Store an experiment with all its runs, once for each idempotency key.

    Raises:
        InvalidPayload: see `parse_runs`; nothing is stored.
        IdempotencyConflict: the key was used with another body.
        TryLater: the unfinished runs of `holder`, whose API key this is, leave no room for these.
    """
    _check_key(key)
    digest = _digest(request)
    if key is not None and request.sweep and (known := _known(database, key, digest)):
        return known  # before its sweep is expanded, which can take seconds
    specs = parse_runs(request, limits)
    now = datetime.now(UTC)
    values = {
        "public_id": new_id(),
        **request.model_dump(),
        "created_at": now,
        "idempotency_key": key,
        "body_digest": digest,
        "api_key_id": None if holder is None else holder.id,
    }
    share = 0 if holder is None else holder.id
    rows = [run_row(spec, index, now, request.priority, share) for index, spec in enumerate(specs)]
    if _store_once(database, values, rows, holder):
        counts = {**dict.fromkeys(RUN_STATUSES, 0), "queued": len(rows)}
        return Submission(Experiment(**_fields({**values, "counts": counts})), is_new=True)
    assert key is not None
    known = _known(database, key, digest)
    return known or submit(database, request, limits, key, holder)  # deleted at this moment: the key is free again


def _store_once(
    database: Database, values: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], holder: Holder | None
) -> bool:
    """Store an experiment with its runs, and whether it was: not where there is one under its idempotency key already,
    which takes no quota a second time."""

    def store_in(connection: sa.Connection) -> bool:
        experiment_id = store.insert_experiment(connection, values)
        if experiment_id is not None:
            check_quotas(connection, holder, rows)
            store.insert_runs(connection, experiment_id, rows)
        return experiment_id is not None

    return database.write(store_in, small=len(rows) <= MOST_RUNS_OF_SMALL_WRITE)


def get_experiment(database: Database, experiment_id: str) -> ExperimentDetail:
    """One experiment; raises NotFound."""
    with database.reading() as connection:
        row = store.find_experiment(connection, experiment_id)
    if row is None:
        raise _not_found(experiment_id)
    return ExperimentDetail(**_fields(row))


def list_experiments(database: Database, query: ListQuery, limit: int, limits: Limits) -> Page[Experiment]:
    """A page of experiments; raises InvalidPayload where the query says what cannot be asked."""
    selection = select_experiments(query, limits)
    with database.reading() as connection:
        rows, marks = store.list_experiments(connection, selection, limit + 1)
    items = [Experiment(**_fields(row)) for row in rows[:limit]]
    return Page(items=items, next=query.cursor_after(marks[limit - 1]) if len(marks) > limit else None)


def change(database: Database, experiment_id: str, changes: ExperimentChanges) -> ExperimentDetail:
    """Rename, tag or move an experiment ahead of others; raises NotFound.

    A priority counts from the next slice on; slices in flight are not called back.
    """
    with database.writing() as connection:
        store.change_experiment(connection, experiment_id, changes.model_dump(exclude_unset=True))
    return get_experiment(database, experiment_id)


def cancel(database: Database, experiment_id: str) -> ExperimentDetail:
    """End every run that is not over; what they have recorded so far stays."""
    with database.writing() as connection:
        store.cancel_runs(connection, experiment_id, datetime.now(UTC))
    return get_experiment(database, experiment_id)


def delete(database: Database, experiment_id: str) -> None:
    """Remove an experiment, its runs and their trajectories; raises NotFound."""
    with database.writing() as connection:
        found = store.delete_experiment(connection, experiment_id)
    if not found:
        raise _not_found(experiment_id)


def _not_found(experiment_id: str) -> NotFound:
    return NotFound(f"There is no experiment {experiment_id!r}; GET /v1/experiments lists those there are.")


def _known(database: Database, key: str, digest: str) -> Submission | None:
    with database.reading() as connection:
        row = store.find_by_idempotency_key(connection, key)
    if row is None:
        return None
    if row["body_digest"] != digest:
        raise IdempotencyConflict(
            f"Experiment {row['public_id']} was submitted under this Idempotency-Key with another body; use a new key."
        )
    return Submission(ExperimentDetail(**_fields(row)), is_new=False)


def _check_key(key: str | None) -> None:
    if key is not None and not 0 < len(key) <= MOST_KEY_CHARACTERS:
        raise InvalidPayload([FieldError("", f"Give an Idempotency-Key of 1 to {MOST_KEY_CHARACTERS} characters.")])


def _digest(request: ExperimentRequest) -> str:
    """Of all that was asked for; bodies without a priority keep the digest they had before there were any."""
    unsaid = None if request.priority else {"priority"}
    return hashlib.sha256(request.model_dump_json(exclude=unsaid).encode()).hexdigest()


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    counts: Mapping[str, int] = row["counts"]
    return {
        "id": row["public_id"],
        "status": status_of(counts),
        "runs": RunCounts(total=sum(counts.values()), **counts),
        **{name: row[name] for name in ("name", "tags", "priority", "created_at", "run", "sweep")},
    }


def status_of(counts: Mapping[str, int]) -> str:
    """An experiment is running from its first run's start to its last one's end; then the worst of its runs counts."""
    ended: Sequence[str] = ("failed", "cancelled", "succeeded")
    if counts["queued"] + counts["running"] == 0:
        return next(status for status in ended if counts[status])
    return "running" if counts["running"] or any(counts[status] for status in ended) else "queued"
