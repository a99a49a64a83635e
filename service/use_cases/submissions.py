"""Submissions: the cost of an experiment, and its storage exactly once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.errors import BeingStored, FieldError, IdempotencyConflict, InvalidPayload
from service.schemas.experiments import Cost, DryRun, Experiment, ExperimentDetail
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.store import experiments as store
from service.store import expiry
from service.store.database import Database
from service.use_cases.checked_runs import CheckedRuns
from service.use_cases.experiments import fields_of, get_experiment
from service.use_cases.keys import Holder
from service.use_cases.payloads import check_size, parse_runs, spec_size
from service.use_cases.storing import NewExperiment, store_once
from service.values.ids import new_id
from service.values.statuses import RUN_STATUSES
from workers.runs.costs import most_multiply_adds, most_points, most_steps, snapshot_bytes

MOST_KEY_CHARACTERS = 255


@dataclass(frozen=True)
class Submission:
    """A stored experiment, and whether this request stored it."""

    experiment: Experiment
    is_new: bool


def dry_run(database: Database, request: ExperimentRequest, limits: Limits) -> DryRun:
    """The cost of an experiment; raises the InvalidPayload of `submit`."""
    runs = parse_runs(request, limits, database)
    cost = Cost(max_steps=0, max_time=0, max_points=0, max_snapshot_bytes=0, max_multiply_adds=0)
    for spec, times in runs.groups():
        cost.max_steps += times * most_steps(spec)
        cost.max_time += times * (spec.max_time if spec.is_flow else 0)
        cost.max_points += times * most_points(spec)
        cost.max_snapshot_bytes += times * snapshot_bytes(spec)
        cost.max_multiply_adds += times * most_multiply_adds(spec)
    check_size(len(runs), spec_size(request).with_starts(runs.starts), limits)
    return DryRun(runs=len(runs), cost=cost)


def submit(
    database: Database, request: ExperimentRequest, limits: Limits, key: str | None, holder: Holder | None = None
) -> Submission:
    """Store an experiment with all its runs, once per idempotency key.

    Raises:
        InvalidPayload: see `parse_runs` and `CheckedRuns`; nothing is stored.
        IdempotencyConflict: the key was used with another body.
        BeingStored: another request is storing an experiment under this key; a later try gets that one.
        TryLater: the unfinished runs of the API key of `holder` leave no room for these.
    """
    _check_key(key)
    digest = _digest(request)
    if key is not None and request.sweep and (earlier := _earlier(database, key, digest)):
        return earlier  # before its sweep is expanded, which can take seconds
    values = {
        "public_id": new_id(),
        **{name: getattr(request, name) for name in ExperimentRequest.model_fields},
        "created_at": datetime.now(UTC),
        "idempotency_key": key,
        "body_digest": digest,
        "api_key_id": None if holder is None else holder.id,
    }
    runs = parse_runs(request, limits, database)
    work, size = _work(runs), spec_size(request).with_starts(runs.starts)
    check_size(len(runs), size, limits)
    new = NewExperiment(values, runs, work, holder, size)
    if store_once(database, new):
        return Submission(_stored(database, new), is_new=True)
    assert key is not None
    earlier = _earlier(database, key, digest)
    return earlier or submit(database, request, limits, key, holder)  # deleted just now, so the key is free again


def _work(runs: CheckedRuns) -> list[Mapping[str, Any]]:
    """What each run may take; checks all of them."""
    work: list[Mapping[str, Any]] = []
    for spec, times in runs.groups():
        work += [{"max_multiply_adds": float(most_multiply_adds(spec))}] * times
    return work


def _stored(database: Database, new: NewExperiment) -> Experiment:
    if new.is_small:
        counts = {**dict.fromkeys(RUN_STATUSES, 0), "queued": len(new.runs)}
        return Experiment(**fields_of({**new.values, "counts": counts}))
    return get_experiment(database, new.values["public_id"])  # the first of its runs may be under way


def _earlier(database: Database, key: str, digest: str) -> Submission | None:
    with database.reading() as connection:
        row = store.find_by_idempotency_key(connection, key)
    if row is None:
        return None
    if row["expires_at"] is not None and row["expires_at"] <= (now := datetime.now(UTC)):
        with database.writing() as connection:
            expiry.give_up(connection, row["id"], now)  # whoever stored it is gone
        return None
    if row["body_digest"] != digest:
        raise IdempotencyConflict(
            f"Experiment {row['public_id']} was submitted under this Idempotency-Key with another body; use a new key."
        )
    if row["expires_at"] is not None:
        raise BeingStored("An experiment is being stored under this Idempotency-Key; try again in a moment.")
    return Submission(ExperimentDetail(**fields_of(row)), is_new=False)


def _check_key(key: str | None) -> None:
    if key is not None and not 0 < len(key) <= MOST_KEY_CHARACTERS:
        raise InvalidPayload([FieldError("", f"Give an Idempotency-Key of 1 to {MOST_KEY_CHARACTERS} characters.")])


def _digest(request: ExperimentRequest) -> str:
    """Digest of a request; without a priority it equals the digest from before priorities existed."""
    unsaid = None if request.priority else {"priority"}
    return hashlib.sha256(request.model_dump_json(exclude=unsaid).encode()).hexdigest()
