"""Submissions: the cost of an experiment, and its storage exactly once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from service.errors import FieldError, IdempotencyConflict, InvalidPayload
from service.schemas import Cost, DryRun, Experiment, ExperimentDetail, ExperimentRequest
from service.settings import Limits
from service.store import experiments as store
from service.store.database import Database
from service.store.run_rows import new_run
from service.use_cases.experiments import fields_of
from service.use_cases.keys import Holder
from service.use_cases.payloads import parse_runs
from service.use_cases.quotas import check_quotas, work_of
from service.values.ids import new_id
from service.values.statuses import RUN_STATUSES
from workers.runs.costs import most_multiply_adds, most_points, most_steps

MOST_KEY_CHARACTERS = 255

MOST_RUNS_OF_SMALL_WRITE = 100
"""Largest experiment in a shared transaction, stored in about 5 ms; larger ones get a separate transaction."""


@dataclass(frozen=True)
class Submission:
    """A stored experiment, and whether this request stored it."""

    experiment: Experiment
    is_new: bool


def dry_run(request: ExperimentRequest, limits: Limits) -> DryRun:
    """The cost of an experiment; raises the InvalidPayload of `submit`."""
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
    """Store an experiment with all its runs, once per idempotency key.

    Raises:
        InvalidPayload: see `parse_runs`; nothing is stored.
        IdempotencyConflict: the key was used with another body.
        TryLater: the unfinished runs of the API key of `holder` leave no room for these.
    """
    _check_key(key)
    digest = _digest(request)
    if key is not None and request.sweep and (earlier := _earlier(database, key, digest)):
        return earlier  # before its sweep is expanded, which can take seconds
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
    rows = [new_run(spec, index, now, request.priority, share) for index, spec in enumerate(specs)]
    if _store_once(database, values, rows, holder):
        counts = {**dict.fromkeys(RUN_STATUSES, 0), "queued": len(rows)}
        return Submission(Experiment(**fields_of({**values, "counts": counts})), is_new=True)
    assert key is not None
    earlier = _earlier(database, key, digest)
    return earlier or submit(database, request, limits, key, holder)  # deleted just now, so the key is free again


def _store_once(
    database: Database, values: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], holder: Holder | None
) -> bool:
    """Store an experiment with its runs, and return whether it was stored.

    An experiment under the same idempotency key is not stored or counted against the quotas again.
    """

    def store_in(connection: sa.Connection) -> bool:
        experiment_id = store.insert_experiment(connection, values)
        if experiment_id is not None:
            check_quotas(connection, holder, work_of(rows))
            store.insert_runs(connection, experiment_id, rows)
        return experiment_id is not None

    return database.write(store_in, small=len(rows) <= MOST_RUNS_OF_SMALL_WRITE)


def _earlier(database: Database, key: str, digest: str) -> Submission | None:
    with database.reading() as connection:
        row = store.find_by_idempotency_key(connection, key)
    if row is None:
        return None
    if row["body_digest"] != digest:
        raise IdempotencyConflict(
            f"Experiment {row['public_id']} was submitted under this Idempotency-Key with another body; use a new key."
        )
    return Submission(ExperimentDetail(**fields_of(row)), is_new=False)


def _check_key(key: str | None) -> None:
    if key is not None and not 0 < len(key) <= MOST_KEY_CHARACTERS:
        raise InvalidPayload([FieldError("", f"Give an Idempotency-Key of 1 to {MOST_KEY_CHARACTERS} characters.")])


def _digest(request: ExperimentRequest) -> str:
    """Digest of a request; without a priority it equals the digest from before priorities existed."""
    unsaid = None if request.priority else {"priority"}
    return hashlib.sha256(request.model_dump_json(exclude=unsaid).encode()).hexdigest()
